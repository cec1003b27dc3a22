"""The web application: each address of the interface, and the page."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
)
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as PlainHTTPException
from starlette.responses import Response

from tumorscope._version import __version__
from tumorscope.errors import TumorscopeError, UsageError
from tumorscope.serve.case_routes import add_case_routes
from tumorscope.serve.counting import Counting
from tumorscope.serve.guard import Guard
from tumorscope.serve.interface import interface_page
from tumorscope.serve.kept import Gone
from tumorscope.serve.limits import NO_ROOM, Busy, RefusedUpload
from tumorscope.serve.messages import (
    ModelShown,
    Refusal,
)
from tumorscope.serve.reader import Reader
from tumorscope.serve.review_routes import add_review_routes
from tumorscope.serve.run_images import ReviewedSet, take_list

PAGE = Path(__file__).parent / "page"
REFUSED: dict[int | str, dict[str, Any]] = {
    code: {"model": Refusal} for code in (400, 401, 403, 404, 410, 413, 421, 422, 429, 503)
}
CANNOT_KEEP = (
    "The server cannot keep this: its disk may be full, or its database unreachable. Nothing was "
    "written down. Free some space there, or start the database, and send it again."
)
logger = logging.getLogger(__name__)


def make_app(
    reader: Reader,
    *,
    hosts: Sequence[str] = ("*",),
    token: str | None = None,
    reviewed: ReviewedSet | None = None,
) -> FastAPI:
    """Return the application over a model at work.

    Args:
        reader: it; started and closed with the application.
        hosts: names by which the server may be called.
        token: that every request must show; None for none.
        reviewed: a data set whose disputed labels are taken in as a list, in the background.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """Start and end with the server."""
        await run_in_threadpool(reader.start)
        if reviewed is not None:
            reader.beside(lambda: take_list(reader, reviewed))
        yield
        await run_in_threadpool(reader.close)

    app = FastAPI(
        title="tumorscope",
        version=__version__,
        summary="Classifies brain MRI slices. Research use only, not a medical device.",
        lifespan=lifespan,
        docs_url=None,  # they load from elsewhere
        redoc_url=None,
        responses=REFUSED,
        max_body_size=reader.limits.upload,
        form_limits={"max_files": reader.limits.files},
    )
    app.add_middleware(Guard, hosts=hosts, token=token, requests=reader.limits.requests)
    _handle_errors(app)
    add_case_routes(app, reader)
    add_review_routes(app, reader, reviewed)
    _add_about(app, reader)
    _add_page(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    codes = {RefusedUpload: 422, Gone: 410, Busy: 503}

    @app.exception_handler(UsageError)
    async def say_that_it_cannot(_: Request, error: UsageError) -> JSONResponse:
        """Answer the server's own trouble; where it keeps things is no client's business."""
        logger.error("%s", error)
        return JSONResponse({"detail": CANNOT_KEEP}, 503)

    @app.exception_handler(OSError)
    async def say_that_it_has_no_room(_: Request, error: OSError) -> JSONResponse:
        """Answer a disk for temporary files that is full, as one that keeps is."""
        if error.errno not in NO_ROOM:
            raise error
        logger.error("%s", error)
        return JSONResponse({"detail": CANNOT_KEEP}, 503)

    @app.exception_handler(PlainHTTPException)
    async def say_what_was_asked(request: Request, error: PlainHTTPException) -> Response:
        """Answer as FastAPI does, but for a body that had no room: it takes that for damaged."""
        if isinstance(error.__cause__, OSError):
            return await say_that_it_has_no_room(request, error.__cause__)
        return await http_exception_handler(request, error)

    @app.exception_handler(TumorscopeError)
    async def say_why(_: Request, error: TumorscopeError) -> JSONResponse:
        """Answer a user's mistake with its sentence."""
        code = next((own for kind, own in codes.items() if isinstance(error, kind)), 422)
        return JSONResponse({"detail": str(error)}, code)

    @app.exception_handler(RequestValidationError)
    async def say_what(_: Request, error: RequestValidationError) -> JSONResponse:
        """Answer a request that is not understood with the first thing that is wrong with it."""
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"][1:]) or "the request"
        return JSONResponse({"detail": f"{place}: {first['msg']}."}, 422)


def _add_about(app: FastAPI, reader: Reader) -> None:
    registry = CollectorRegistry()
    answered = Counter("tumorscope_requests", "Requests", ["method", "status"], registry=registry)
    seconds = Histogram("tumorscope_request_seconds", "Time of requests", registry=registry)
    rows = Gauge("tumorscope_log_rows", "Rows of the log", ["table"], registry=registry)

    app.add_middleware(Counting, requests=answered, seconds=seconds)

    @app.get("/api/model")
    def model() -> ModelShown:
        """Say what the model is."""
        card = reader.predictor.card
        healthy = card.healthy
        return ModelShown(
            name=f"{card.provenance.data}, {card.recipe.name}",
            digest=reader.model,
            classes=list(card.classes),
            healthy=None if healthy is None else card.classes[healthy],
            summary=card.summary,
            scope=card.scope,
            licence=card.licence,
            image_size=card.preprocessing.image_size,
            error_rate=card.calibration.error_rate if card.calibration.thresholds else None,
            localises=card.recipe.localise,
            methods=list(reader.methods),
            stores=reader.stores,
        )

    @app.head("/api/health", include_in_schema=False)
    @app.get("/api/health")
    async def health() -> dict[str, str]:
        """Say that the server answers, and of which version it is."""
        return {"status": "ok", "version": __version__}

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Return counters for Prometheus."""
        for table, number in reader.log.count().items():
            rows.labels(table).set(number)
        return PlainTextResponse(generate_latest(registry), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        """Return the page."""
        return FileResponse(PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    def interface() -> HTMLResponse:
        """Return the interface as a page to read."""
        return HTMLResponse(interface_page(app.openapi()))

    @app.get("/interface.css", include_in_schema=False)
    def interface_style() -> FileResponse:
        """Return how that page looks."""
        return FileResponse(PAGE.parent / "interface.css")

    @app.get("/assets/{name}", include_in_schema=False)
    def asset(name: str) -> FileResponse:
        """Return a file of the page; none but those it was built with."""
        files = {path.name: path for path in (PAGE / "assets").iterdir()}
        if name not in files:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(files[name], headers={"Cache-Control": "no-cache"})
