"""Who may ask, and what a browser may do with the answer: checks around every request.

A page elsewhere must not reach a server on the reader's own machine: requests with another host
name (DNS rebinding) or from another origin (CSRF) are turned away before anything is read.
"""

import hmac
import time
from collections import OrderedDict
from collections.abc import Sequence
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "tumorscope"
CLIENTS = 10_000  # whose requests are counted
MINUTE = 60.0
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
READING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Turns away what comes from elsewhere, too often, or without the token."""

    def __init__(
        self, app: ASGIApp, hosts: Sequence[str], token: str | None, requests: int
    ) -> None:
        """Stand before an application.

        Args:
            app: it.
            hosts: names by which the server may be called, without a port; `*` for any.
            token: that every request must show; None where the machine itself is the guard.
            requests: of one client in a minute.
        """
        self._app, self._hosts, self._token = app, tuple(hosts), token
        self._requests = requests
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            answer = self._refusal(scope)
        except ValueError:  # a host or an origin that is none
            answer = _said(400, "This request cannot be understood.")

        async def guarded(message: Message) -> None:
            """Add what tells the browser to be careful."""
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if name not in headers:
                        headers[name] = value
            await send(message)

        await (answer or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, method = Headers(scope=scope), scope["method"]
        host = headers.get("host", "")
        if "*" not in self._hosts and _without_port(host) not in self._hosts:
            return _said(421, "This server is called by another name: see 'tumorscope serve'.")
        origin = headers.get("origin")
        if origin not in (None, "null") and urlsplit(origin or "").netloc != host:
            return _said(403, "This request comes from another page.")
        if method not in READING and (
            origin == "null" or headers.get("sec-fetch-site") in ("cross-site", "same-site")
        ):
            return _said(403, "This request comes from another page.")
        if not self._in_time(scope):
            return _said(429, "Too many requests in a minute: wait a little.")
        return self._without_token(scope, headers)

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse without the token; where the address has it, keep it in a cookie instead."""
        if self._token is None or scope["path"] == "/api/health":
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and self._is_token(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, given, httponly=True, samesite="strict")
            return answer
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(bearer.strip()):
            return None
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        if cookie is not None and self._is_token(cookie.value):
            return None
        return _said(401, "Open the address with the token that 'tumorscope serve' has printed.")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self._token or "").encode())

    def _in_time(self, scope: Scope) -> bool:
        client, now = (scope.get("client") or ("", 0))[0], time.monotonic()
        since, count = self._counts.pop(client, (now, 0))
        if now - since > MINUTE:
            since, count = now, 0
        self._counts[client] = (since, count + 1)
        while len(self._counts) > CLIENTS:
            self._counts.popitem(last=False)
        return count < self._requests


def _without_port(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def _said(status: int, sentence: str) -> Response:
    return JSONResponse({"detail": sentence}, status)
