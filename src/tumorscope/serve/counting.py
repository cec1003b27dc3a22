"""Requests and their time, counted for Prometheus."""

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD", "OPTIONS", "POST")


class Counting:
    """Counts requests and their time for Prometheus."""

    def __init__(self, app: ASGIApp, requests: Counter, seconds: Histogram) -> None:
        self._app, self._requests, self._seconds = app, requests, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            """Note the status of the answer."""
            if message["type"] == "http.response.start":
                self._requests.labels(method, str(message["status"])).inc()
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "other"
        try:
            with self._seconds.time():
                await self._app(scope, receive, noted)
        except Exception:
            self._requests.labels(method, "500").inc()
            raise
