"""The web application: each address of the interface, and the page."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, HTTPException, Query, Request, UploadFile
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    StreamingResponse,
)
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as PlainHTTPException
from starlette.responses import Response

from tumorscope._version import __version__
from tumorscope.errors import TumorscopeError, UnreadableImage, UsageError
from tumorscope.serve.counting import Counting
from tumorscope.serve.guard import Guard
from tumorscope.serve.interface import interface_page
from tumorscope.serve.limits import NO_ROOM, Busy, RefusedUpload
from tumorscope.serve.manifest import corrected_csv, reviews_csv
from tumorscope.serve.messages import (
    Agreement,
    Alike,
    CaseList,
    CaseShown,
    ListShown,
    ModelShown,
    Refusal,
    ReviewMessage,
    ReviewShown,
    TrainingNeighbour,
    shown,
    summary,
)
from tumorscope.serve.reader import Gone, Reader
from tumorscope.serve.run_images import ReviewedSet, take_list
from tumorscope.watching.agreement import agreements
from tumorscope.watching.cases import Case

PAGE = Path(__file__).parent / "page"
PATIENCE = 20.0  # seconds that an upload waits for its answer before it is answered with "waiting"
LOOK = 1.0  # seconds between two looks at a job
REFUSED: dict[int | str, dict[str, Any]] = {
    code: {"model": Refusal} for code in (400, 401, 403, 404, 410, 413, 421, 422, 429, 503)
}
CANNOT_KEEP = (
    "The server cannot keep this: its disk may be full, or its database unreachable. Nothing was "
    "written down. Free some space there, or start the database, and send it again."
)
logger = logging.getLogger(__name__)
Number = Annotated[int, Query(ge=0, le=1_000_000)]


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
    _add_cases(app, reader)
    _add_neighbours(app, reader)
    _add_lists(app, reader, reviewed)
    _add_pictures(app, reader)
    _add_reviews(app, reader)
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


def _found(reader: Reader, case: str) -> Case:
    found = reader.log.case(case)
    if found is None:
        raise HTTPException(404, f"There is no case {case[:40]}.")
    return found


def _add_cases(app: FastAPI, reader: Reader) -> None:
    @app.post("/api/cases", status_code=201)
    async def upload(
        files: Annotated[
            list[UploadFile], File(description="Images, DICOM objects, NIfTI volumes, or a zip.")
        ],
    ) -> list[CaseShown]:
        """Answer for what is sent: a case for each image and for each series in it.

        A long series is answered with the status `waiting`: its events say how far it is.
        """
        if len(files) > reader.limits.files:
            raise HTTPException(413, f"Send at most {reader.limits.files:,} files at once.")
        uploads = [(file.filename or "", file.file) for file in files]

        def answered() -> list[CaseShown]:
            """Take the upload in, and wait for the answer to a single case."""
            cases = reader.take(uploads)
            answered = reader.wait(cases[0].id, PATIENCE) if len(cases) == 1 else None
            found = [answered] if answered else [_found(reader, case.id) for case in cases]
            return [shown(case, kept=True) for case in found]

        return await run_in_threadpool(answered)

    @app.get("/api/cases")
    def cases(
        first: Number = 0,
        count: Annotated[int, Query(ge=1, le=500)] = 50,
        label: Annotated[str, Query(max_length=80)] = "",
        name: Annotated[str, Query(max_length=120)] = "",
        reviewed: bool | None = None,
        on: Annotated[str, Query(alias="list", max_length=200)] = "",
    ) -> CaseList:
        """List cases of use, the newest first; with `list` those of a review list in its order."""
        found = reader.log.cases(
            first=first, count=count, label=label, name=name, reviewed=reviewed, on=on
        )
        total = reader.log.total(label=label, name=name, reviewed=reviewed, on=on)
        return CaseList(cases=[summary(case) for case in found], total=total)

    @app.get("/api/cases/{case}")
    def one_case(case: str) -> CaseShown:
        """Return a case with its answer and what readers said of it."""
        found = _found(reader, case)
        return shown(found, kept=reader.can_show(found))

    @app.get(
        "/api/cases/{case}/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def events(case: str) -> StreamingResponse:
        """Say how far the answering of a case is, as server-sent events, until it ends."""
        await run_in_threadpool(_found, reader, case)
        return StreamingResponse(_events(reader, case), media_type="text/event-stream")


def _add_neighbours(app: FastAPI, reader: Reader) -> None:
    @app.get("/api/cases/{case}/alike")
    def alike(case: str) -> list[Alike]:
        """Return the cases that look most like one to the network."""
        return [
            Alike(case=summary(other), likeness=round(likeness, 4))
            for other, likeness in reader.alike(_found(reader, case))
        ]

    @app.get("/api/cases/{case}/training")
    def training(case: str) -> list[TrainingNeighbour]:
        """Return the training images, of a sample, that look most like a case to the network."""
        found = reader.most_similar(_found(reader, case))
        return [
            TrainingNeighbour(
                number=own.number,
                label=own.label,
                likeness=round(own.likeness, 4),
                shown=bool(reader.training),
            )
            for own in found
        ]


def _add_lists(app: FastAPI, reader: Reader, reviewed: ReviewedSet | None) -> None:
    @app.get("/api/lists")
    def lists() -> list[ListShown]:
        """Return the review lists, how far people are with each, and the labels to choose from."""
        classes = {reviewed.list: list(reviewed.manifest.classes)} if reviewed else {}
        return [
            ListShown(
                name=own.name,
                cases=own.cases,
                reviewed=own.reviewed,
                labels=classes.get(own.name, sorted(own.labels)),
                corrects=own.name in classes,
            )
            for own in reader.log.lists()
        ]

    @app.get("/api/corrected.csv", response_class=PlainTextResponse)
    def corrected() -> PlainTextResponse:
        """Return the labels of the reviewed data set as readers have corrected them."""
        if reviewed is None:
            raise HTTPException(
                404, "No data set is reviewed here: 'tumorscope serve --review RUN' does that."
            )
        cases = (case for case in reader.log.all_cases() if _is_on(case, reviewed.list))
        content = corrected_csv(reviewed.manifest, cases)
        return PlainTextResponse(content, media_type="text/csv")


def _is_on(case: Case, name: str) -> bool:
    return case.listed is not None and case.listed.list == name


async def _events(reader: Reader, case: str) -> AsyncIterator[str]:
    job = reader.job(case)
    while job is not None and not job.finished and not job.error:
        yield f'event: progress\ndata: {{"done": {job.done}, "total": {job.total}}}\n\n'
        await asyncio.sleep(LOOK / 4)
    yield f'event: end\ndata: {{"case": "{case}"}}\n\n'


def _add_pictures(app: FastAPI, reader: Reader) -> None:
    kinds: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}

    @app.get("/api/cases/{case}/slices/{number}", response_class=Response, responses=kinds)
    def one_slice(case: str, number: int) -> Response:
        """Return a slice as PNG."""
        return _picture(lambda: reader.slice_png(_found(reader, case), number))

    @app.get("/api/cases/{case}/maps/{number}", response_class=Response, responses=kinds)
    def one_map(
        case: str, number: int, method: Annotated[str, Query(max_length=40)] = ""
    ) -> Response:
        """Return the map of a slice as PNG, to be laid over it."""
        if method and method not in reader.methods:
            known = ", ".join(reader.methods) or "none"
            raise HTTPException(404, f"This model has no maps called {method}, but these: {known}.")
        return _picture(lambda: reader.map_png(_found(reader, case), number, method))

    @app.get("/api/training/{number}", response_class=Response, responses=kinds)
    def one_training(number: int) -> Response:
        """Return a training image as PNG, where the server was told to show them."""
        return _picture(lambda: reader.training_png(number))


def _picture(make: Callable[[], bytes]) -> Response:
    try:
        content = make()
    except (UsageError, UnreadableImage) as error:
        raise HTTPException(404, str(error)) from error
    return Response(content, media_type="image/png", headers={"Cache-Control": "private"})


def _add_reviews(app: FastAPI, reader: Reader) -> None:
    @app.post("/api/cases/{case}/review", status_code=201)
    def review(case: str, said: ReviewMessage) -> ReviewShown:
        """Write down what a reader says of a case. What was said before stays as it is."""
        found = _found(reader, case)
        slices = int(found.facts.get("slices", 1))
        if found.answer is not None and (said.slice or 0) >= slices:
            raise HTTPException(422, f"slice: there are {slices} of this case, counted from 0.")
        own = said.review()
        reader.log.add_review(case, own)
        return ReviewShown(**said.model_dump(), created=own.created)

    @app.get("/api/reviews.csv", response_class=PlainTextResponse)
    def manifest() -> PlainTextResponse:
        """Return what readers said as a manifest that `tumorscope train` takes."""
        content = reviews_csv(reader.log.all_cases())
        return PlainTextResponse(content, media_type="text/csv")

    @app.get("/api/agreement")
    def agreement() -> list[Agreement]:
        """Say how far each two readers agree on the cases that both have read."""
        return [Agreement(**vars(own)) for own in agreements(reader.log.all_cases())]


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
