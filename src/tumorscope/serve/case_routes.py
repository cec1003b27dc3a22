"""Addresses of cases: taken in, listed, shown, followed, drawn, compared with others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import FastAPI, File, HTTPException, Query, UploadFile
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tumorscope.errors import UnreadableImage, UsageError
from tumorscope.serve.messages import (
    Alike,
    CaseList,
    CaseShown,
    TrainingNeighbour,
    shown,
    summary,
)
from tumorscope.serve.reader import Reader
from tumorscope.watching.cases import Case

PATIENCE = 20.0  # seconds that an upload waits for its answer before it is answered with "waiting"
LOOK = 0.25  # seconds between two looks at a job
Number = Annotated[int, Query(ge=0, le=1_000_000)]


def add_case_routes(app: FastAPI, reader: Reader) -> None:
    """Add all addresses of cases but those of reviews."""
    _add_cases(app, reader)
    _add_neighbours(app, reader)
    _add_pictures(app, reader)


def find_case(reader: Reader, case: str) -> Case:
    """Return a case.

    Raises:
        HTTPException: there is none.
    """
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
            found = [answered] if answered else [find_case(reader, case.id) for case in cases]
            return [shown(case, kept=reader.can_show(case)) for case in found]

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
        found = find_case(reader, case)
        return shown(found, kept=reader.can_show(found))

    @app.get(
        "/api/cases/{case}/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def events(case: str) -> StreamingResponse:
        """Say how far the answering of a case is, as server-sent events, until it ends."""
        await run_in_threadpool(find_case, reader, case)
        return StreamingResponse(_events(reader, case), media_type="text/event-stream")


async def _events(reader: Reader, case: str) -> AsyncIterator[str]:
    job = reader.job(case)
    while job is not None and not job.finished and not job.error:
        yield f'event: progress\ndata: {{"done": {job.done}, "total": {job.total}}}\n\n'
        await asyncio.sleep(LOOK)
    yield f'event: end\ndata: {{"case": "{case}"}}\n\n'


def _add_neighbours(app: FastAPI, reader: Reader) -> None:
    @app.get("/api/cases/{case}/alike")
    def alike(case: str) -> list[Alike]:
        """Return the cases that look most like one to the network."""
        return [
            Alike(case=summary(other), likeness=round(likeness, 4))
            for other, likeness in reader.alike(find_case(reader, case))
        ]

    @app.get("/api/cases/{case}/training")
    def training(case: str) -> list[TrainingNeighbour]:
        """Return the training images, of a sample, that look most like a case to the network."""
        found = reader.most_similar(find_case(reader, case))
        return [
            TrainingNeighbour(
                number=own.number,
                label=own.label,
                likeness=round(own.likeness, 4),
                shown=bool(reader.training),
            )
            for own in found
        ]


def _add_pictures(app: FastAPI, reader: Reader) -> None:
    kinds: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}

    @app.get("/api/cases/{case}/slices/{number}", response_class=Response, responses=kinds)
    def one_slice(case: str, number: int) -> Response:
        """Return a slice as PNG."""
        return _picture(lambda: reader.slice_png(find_case(reader, case), number))

    @app.get("/api/cases/{case}/maps/{number}", response_class=Response, responses=kinds)
    def one_map(
        case: str, number: int, method: Annotated[str, Query(max_length=40)] = ""
    ) -> Response:
        """Return the map of a slice as PNG, to be laid over it."""
        if method and method not in reader.methods:
            known = ", ".join(reader.methods) or "none"
            raise HTTPException(404, f"This model has no maps called {method}, but these: {known}.")
        return _picture(lambda: reader.map_png(find_case(reader, case), number, method))

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
