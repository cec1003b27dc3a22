"""The documented schema of a comparison of runs."""

from tumorscope.schema.base import Strict
from tumorscope.schema.scores import Score


class ComparedRun(Strict):
    """One run of a comparison.

    Attributes:
        run: its folder.
        recipe: the recipe's name.
        images: test images.
        leaks: how many of them are not new to the model.
        accuracy, balanced_accuracy, macro_f1: with their 95 % intervals over groups.
        majority: accuracy of always answering the most frequent class.
    """

    run: str
    recipe: str
    images: int
    leaks: int
    accuracy: Score
    balanced_accuracy: Score
    macro_f1: Score
    majority: Score


class RunPair(Strict):
    """Two runs on the test images that both were scored on.

    Attributes:
        first, second: their folders.
        images: how many test images they share, by the contents of the files.
        other_content: how many more share a name alone; they are not compared.
        gain: accuracy of the second less that of the first on these, in [-1, 1].
        low, high: its 95 % interval over groups; None where there are fewer than two.
        p_value: of an exact paired test over groups; None where no image is shared.
    """

    first: str
    second: str
    images: int
    other_content: int
    gain: float | None
    low: float | None
    high: float | None
    p_value: float | None


class Comparison(Strict):
    """What comparing runs gives.

    Attributes:
        runs: one entry per run, in the order given.
        pairs: each run against each later one.
    """

    runs: tuple[ComparedRun, ...]
    pairs: tuple[RunPair, ...]
