"""The documented schema of what `tumorscope watch` says."""

from datetime import datetime

from pydantic import FiniteFloat

from tumorscope.schema.base import Strict
from tumorscope.schema.scores import Score


class Moment(Strict):
    """What was known after one patient more.

    Attributes:
        when: the patient's first truth became known, or else their first case arrived.
        accuracy: mean over the patients so far, in [0, 1].
        low, high: bounds of the accuracy that hold at every moment together, at 95 %.
        evidence: that accuracy is below what was expected; 20 and more is an alarm.
    """

    when: datetime
    accuracy: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    evidence: FiniteFloat


class DriftFound(Strict):
    """One thing in which a batch of cases differs from the early ones.

    Attributes:
        look: the number of the batch, from 1.
        since: when the batch begins.
        what: such as `mean grey level`.
        distance: Kolmogorov's of numbers, Cramér's V of words, in [0, 1].
        p_value: of that; below `allowed` it is an alarm.
        allowed: so that over all looks and things 5 % of logs without drift give an alarm.
    """

    look: int
    since: datetime
    what: str
    distance: FiniteFloat
    p_value: FiniteFloat
    allowed: FiniteFloat


class Watched(Strict):
    """How a model does in use.

    Attributes:
        model: digest of its card; the newest that has answered.
        cases: answered by it.
        failed, refused: of them, those that could not be read, and those without an answer.
        refused_share: of those that could be read, with its interval over patients.
        truths: cases whose truth is known.
        patients: whom these belong to.
        expected: accuracy that was promised, and below which a fall is looked for.
        chance: share of the most frequent true class.
        accuracy: over cases, with its interval over patients; for one look alone.
        calibration_gap: mean highest probability less accuracy, in [-1, 1].
        moments: after each patient.
        fell: when the evidence sufficed that accuracy is below what was expected; None if never.
        beyond_chance: when it sufficed that the answers are better than chance.
        needed: patients more until a fall of 5 and of 10 points could be told, by the best test.
        drift: alarms.
        looks: batches that were compared.
        sentences: what this comes to.
    """

    model: str
    cases: int
    failed: int
    refused: int
    refused_share: Score
    truths: int
    patients: int
    expected: FiniteFloat
    chance: FiniteFloat | None
    accuracy: Score
    calibration_gap: Score
    moments: tuple[Moment, ...]
    fell: datetime | None
    beyond_chance: datetime | None
    needed: dict[str, int]
    drift: tuple[DriftFound, ...]
    looks: int
    sentences: tuple[str, ...]
