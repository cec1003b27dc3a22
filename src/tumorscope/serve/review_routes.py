"""Addresses of reviews: review lists, what readers say, their agreement, corrected labels."""

from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

from tumorscope.serve.case_routes import find_case
from tumorscope.serve.manifest import corrected_csv, reviews_csv
from tumorscope.serve.messages import Agreement, ListShown, ReviewMessage, ReviewShown
from tumorscope.serve.reader import Reader
from tumorscope.serve.run_images import ReviewedSet
from tumorscope.watching.agreement import agreements
from tumorscope.watching.cases import Case


def add_review_routes(app: FastAPI, reader: Reader, reviewed: ReviewedSet | None) -> None:
    """Add the addresses of reviews.

    Args:
        app: to which they are added.
        reader: a model at work.
        reviewed: a data set whose disputed labels are on a list.
    """
    _add_lists(app, reader, reviewed)
    _add_reviews(app, reader)


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


def _add_reviews(app: FastAPI, reader: Reader) -> None:
    @app.post("/api/cases/{case}/review", status_code=201)
    def review(case: str, said: ReviewMessage) -> ReviewShown:
        """Write down what a reader says of a case. What was said before stays as it is."""
        found = find_case(reader, case)
        slices = int(found.facts.get("slices", 1))
        if found.answer is not None and (said.slice or 0) >= slices:
            raise HTTPException(422, f"slice: there are {slices} of this case, counted from 0.")
        if said.box_lies_outside():
            raise HTTPException(422, "box: it reaches out of the image.")
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
