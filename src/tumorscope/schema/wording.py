"""How scores read: the one place that turns them into words."""

from typing import Literal

from tumorscope.schema.scores import Score, Scores

Form = Literal["share", "number"]

CONTROL_LABELS = {
    "majority": "most frequent class",
    "look_up": "thumbnail look-up",
    "file_facts": "file facts",
}
UNDEFINED = "n/a"
ABSENT = "Averages leave out the classes that none of these images has:"
MOST_DIGITS = 6  # after the point of a prevalence in per cent


def of_first(networks: int) -> str:
    """Return whose training is told where several networks were trained; nothing for one.

    >>> of_first(1), of_first(2)
    ('', ' of the first of 2 networks')
    """
    return f" of the first of {networks} networks" if networks > 1 else ""


def share(score: Score) -> str:
    """Return a share in per cent.

    >>> share(Score(value=0.8671, n=100)), share(Score(value=None, n=0))
    ('86.7%', 'n/a')
    """
    return UNDEFINED if score.value is None else f"{score.value:.1%}"


def prevalence(value: float) -> str:
    """Return how frequent a class is in per cent, rounded to 0 or 100 only where it is that.

    >>> prevalence(0.284), prevalence(0.0004), prevalence(0.99996), prevalence(0.0)
    ('28.4%', '0.04%', '99.996%', '0.0%')
    """
    for digits in range(1, MOST_DIGITS):
        text = f"{value:.{digits}%}"
        if float(text[:-1]) not in (0, 100) or value in (0, 1):
            return text
    return f"{value:.{MOST_DIGITS}%}"


def prevalences(scores: Scores) -> str:
    """Return for which prevalence of each class the predictive values are."""
    return ", ".join(
        f"{name} {UNDEFINED if own.prevalence is None else prevalence(own.prevalence)}"
        for name, own in scores.per_class.items()
    )


def number(score: Score) -> str:
    """Return a score as a plain number.

    >>> number(Score(value=0.8671, n=100))
    '0.867'
    """
    return UNDEFINED if score.value is None else f"{score.value:.3f}"


def interval(score: Score, form: Form = "share") -> str:
    """Return the ends of a 95 % interval; empty where there is none.

    >>> interval(Score(value=0.87, low=0.8, high=0.925, n=100))
    '80.0% to 92.5%'
    """
    if score.low is None or score.high is None:
        return ""
    if form == "share":
        return f"{score.low:.1%} to {score.high:.1%}"
    return f"{score.low:.3f} to {score.high:.3f}"


def short_interval(score: Score, form: Form = "share") -> str:
    """Return the ends of an interval for a narrow column, without signs for per cent.

    >>> short_interval(Score(value=0.87, low=0.8, high=0.925, n=100))
    '80.0–92.5'
    """
    return interval(score, form).replace("%", "").replace(" to ", "–")


def with_interval(score: Score) -> str:
    """Return a share with its interval in brackets, where it has one.

    >>> with_interval(Score(value=0.87, low=0.8, high=0.925, n=100))
    '87.0% (80.0% to 92.5%)'
    """
    ends = interval(score)
    return f"{share(score)} ({ends})" if ends else share(score)


def compact(score: Score) -> str:
    """Return a share with its interval for a narrow column.

    >>> compact(Score(value=0.87, low=0.8, high=0.925, n=100))
    '87.0% (80.0–92.5)'
    """
    ends = short_interval(score)
    return f"{share(score)} ({ends})" if ends else share(score)


def points(score: Score) -> str:
    """Return a difference of two shares in points, with its sign and interval.

    >>> points(Score(value=0.05, low=-0.01, high=0.11, n=100))
    '+5.0 points (-1.0 to +11.0)'
    """
    if score.value is None:
        return UNDEFINED
    ends = interval_in_points(score)
    return f"{100 * score.value:+.1f} points" + (f" ({ends})" if ends else "")


def interval_in_points(score: Score) -> str:
    """Return the signed ends of a difference's interval in points; empty where there is none."""
    if score.low is None or score.high is None:
        return ""
    return f"{100 * score.low:+.1f} to {100 * score.high:+.1f}"


def better_or_worse(difference: float) -> str:
    """Return a difference of two shares as a magnitude and a word.

    >>> better_or_worse(0.013), better_or_worse(-0.091), better_or_worse(0.0)
    ('1.3 points better', '9.1 points worse', 'no better and no worse')
    """
    size = f"{abs(100 * difference):.1f}"
    if size == "0.0":
        return "no better and no worse"
    return f"{size} points {'better' if difference > 0 else 'worse'}"
