"""What the interface takes and gives, as its OpenAPI document describes it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tumorscope.watching.cases import Case, Review

Status = Literal["waiting", "answered", "failed"]
Fraction = Annotated[float, Field(ge=0, le=1)]
ROUNDING = 1e-3  # by how far a side of a box may lie outside
NOT_FOR_USE = "Research use only, not a medical device."


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Message(BaseModel):
    """The base of all messages: nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid")


class BoxMessage(Message):
    """A rectangle, in fractions of the image's width and height."""

    x_center: Fraction
    y_center: Fraction
    width: Annotated[float, Field(gt=0, le=1)]
    height: Annotated[float, Field(gt=0, le=1)]


class ReviewMessage(Message):
    """What a reader says of a case."""

    reader: Name
    label: Name
    blind: bool = False
    slice: Annotated[int, Field(ge=0, le=100_000)] | None = None
    box: BoxMessage | None = None
    comment: Annotated[str, Field(max_length=4000)] = ""

    def box_lies_outside(self) -> bool:
        """Say whether a box reaches out of the image, but for what rounding does."""
        if self.box is None:
            return False
        sides = ((self.box.x_center, self.box.width), (self.box.y_center, self.box.height))
        return any(abs(center - 0.5) + side / 2 > 0.5 + ROUNDING for center, side in sides)

    def review(self) -> Review:
        """Return it as the log takes it."""
        box = self.box
        own = None if box is None else (box.x_center, box.y_center, box.width, box.height)
        return Review(self.reader, self.label, self.blind, self.slice, own, self.comment)


class ReviewShown(ReviewMessage):
    """A review as it was written down."""

    created: datetime


class CaseSummary(Message):
    """A case in a list.

    On a review list, `filed` is the label that its data set gives it, and `suggested` that of a
    model that had not seen it.
    """

    id: str
    created: datetime
    name: str
    kind: Literal["image", "series"]
    slices: int
    status: Status
    label: str = ""
    probability: float | None = None
    accepted: bool = False
    note: str = ""
    reviews: int = 0
    list: str = ""
    rank: int = 0
    filed: str = ""
    suggested: str = ""


class CaseShown(CaseSummary):
    """A case with all that is known of it."""

    answer: dict[str, Any] | None = None
    facts: dict[str, Any] = {}
    kept: bool = False
    said: list[ReviewShown] = []
    notice: str = NOT_FOR_USE


class CaseList(Message):
    """Some cases, the newest first, and how many there are in all."""

    cases: list[CaseSummary]
    total: int


class ListShown(Message):
    """A review list: labels that are worth a second look.

    Where it `corrects`, its data set is open, and its corrected labels can be had.
    """

    name: str
    cases: int
    reviewed: int
    labels: list[str]
    corrects: bool


class ModelShown(Message):
    """What the model is."""

    name: str
    digest: str
    classes: list[str]
    healthy: str | None
    summary: str
    scope: str
    licence: str
    image_size: int
    error_rate: float | None
    localises: bool
    methods: list[str]
    stores: bool
    notice: str = NOT_FOR_USE


class Alike(Message):
    """A case that looks like another to the network."""

    case: CaseSummary
    likeness: float


class TrainingNeighbour(Message):
    """A training image that looks like a case to the network; it can be had where `shown`."""

    number: int
    label: str
    likeness: float
    shown: bool


class Agreement(Message):
    """How far two readers agree."""

    first: str
    second: str
    cases: int
    same: float | None
    kappa: float | None
    low: float | None
    high: float | None


class Refusal(Message):
    """Why a request is not answered."""

    detail: str


def summary(case: Case) -> CaseSummary:
    """Return a case as a list shows it."""
    return CaseSummary(**_summed_up(case))


def shown(case: Case, *, kept: bool) -> CaseShown:
    """Return a case with all that is known of it."""
    said = [
        ReviewShown(
            reader=own.reader,
            label=own.label,
            blind=own.blind,
            slice=own.slice,
            box=None if own.box is None else _box(own.box),
            comment=own.comment,
            created=own.created,
        )
        for own in case.reviews
    ]
    answer = None if case.answer is None else dict(case.answer)
    return CaseShown(
        **_summed_up(case), answer=answer, facts=dict(case.facts), kept=kept, said=said
    )


def _box(own: tuple[float, float, float, float]) -> BoxMessage:
    x, y, width, height = own
    return BoxMessage(x_center=x, y_center=y, width=width, height=height)


def _summed_up(case: Case) -> dict[str, Any]:
    answer = case.answer or {}
    status: Status = "waiting" if case.answer is None else "answered"
    if answer.get("error"):
        status = "failed"
    label = answer.get("label", "")
    return {
        "id": case.id,
        "created": case.created,
        "name": case.name,
        "kind": case.kind,
        "slices": int(case.facts.get("slices", 1)),
        "status": status,
        "label": label,
        "probability": answer.get("probabilities", {}).get(label),
        "accepted": bool(answer.get("accepted")),
        "note": answer.get("error") or answer.get("reason") or answer.get("note") or "",
        "reviews": len(case.reviews),
        "list": case.listed.list if case.listed else "",
        "rank": case.listed.rank if case.listed else 0,
        "filed": case.listed.filed if case.listed else "",
        "suggested": case.listed.suggested if case.listed else "",
    }
