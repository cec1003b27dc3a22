"""A log and later truth to how a model does in use."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tumorscope.errors import DataError, UsageError
from tumorscope.evaluation.scores import mean_score
from tumorscope.metrics.intervals import Clusters
from tumorscope.schema.labels import same_class
from tumorscope.schema.watch import DriftFound, Moment, Watched
from tumorscope.schema.wording import with_interval
from tumorscope.support.text import plural
from tumorscope.watching.cases import NOTHING, Case, owner
from tumorscope.watching.drift import BATCH, FITTED, REFERENCE, Drift, find_drift
from tumorscope.watching.log import Log
from tumorscope.watching.sequential import (
    confidence_sequence,
    drop_evidence,
    first_passing,
    gain_evidence,
    needed,
)

HORIZON = 2000  # patients with a truth, over which the chance of a false alarm is 5 %
FALLS = {"5 points": 0.05, "10 points": 0.10}


@dataclass(frozen=True)
class Truth:
    """What turned out to be true of a case.

    Attributes:
        label: its class.
        patient: whom it belongs to; empty where that is not told.
        known: since when; None where that is not told.
    """

    label: str
    patient: str = ""
    known: datetime | None = None


def watch_log(
    log: Log, truths: Mapping[str, Truth] | None, expected: float, model: str = ""
) -> Watched:
    """Say how a model does in use.

    Args:
        log: of its answers.
        truths: the true class of cases by id or name; what readers said last where None.
        expected: the accuracy that was promised, in (0, 1).
        model: digest of the model, or how it begins; the newest that has answered unless given.

    Raises:
        DataError: the log has no answer, or of no such model.
        UsageError: the accuracy that is expected cannot be.
    """
    if not 0 < expected < 1:
        raise UsageError(f"--expect {expected:g} is not a share between 0 and 1.")
    answered = _answered(log)
    digests = [case.model for case in answered if case.model.startswith(model)]
    if not digests:
        raise DataError(
            f"The log {log.place} holds no answer"
            + (f" of a model {model}" if model else "")
            + ", those of review lists aside: use 'predict --log' or 'serve' first."
        )
    digest = digests[-1]
    own = [case for case in answered if case.model == digest]
    if truths:
        _refuse_ambiguous(own, truths)
    cases = [_with_patient(case, truths) for case in own]
    known = _in_order((c, told) for c in cases if (told := _truth(c, truths)) and _answers(c))
    readable = [case for case in cases if not (case.answer or {}).get("error")]
    refused = np.array([not _answers(case) for case in readable], np.float64)
    right = np.array([_is_right(case, truth.label) for case, truth in known], np.float64)
    sure = np.array([_sure(case) for case, _ in known], np.float64)
    clusters = Clusters.of([owner(case) for case, _ in known])
    moments, evidence, fell, beyond, chance = _over_time(known, expected)
    drift = find_drift(cases)
    watched = Watched(
        model=digest,
        cases=len(cases),
        failed=len(cases) - len(readable),
        refused=int(refused.sum()),
        refused_share=mean_score(refused, Clusters.of([owner(case) for case in readable])),
        truths=len(known),
        patients=len(moments),
        expected=expected,
        chance=chance,
        accuracy=mean_score(right, clusters),
        calibration_gap=mean_score(sure - right, clusters, "signed"),
        moments=moments,
        fell=fell,
        beyond_chance=beyond,
        needed={
            name: max(0, needed(expected, expected - fall) - len(moments))
            for name, fall in FALLS.items()
            if expected > fall
        },
        drift=tuple(_alarms(drift, _first_of_batches(cases))),
        looks=max((own.look for own in drift), default=0),
        sentences=(),
    )
    said = (*_cautions(cases, truths, known), *_sentences(watched, evidence))
    return watched.model_copy(update={"sentences": said})


def _alarms(drift: Sequence[Drift], firsts: Sequence[datetime]) -> Iterator[DriftFound]:
    """Yield what is alarming of the looks for drift, with the day on which its batch begins."""
    for own in drift:
        if own.alarming:
            yield DriftFound(
                look=own.look,
                since=firsts[own.look - 1],
                what=own.what,
                distance=own.statistic,
                p_value=own.p_value,
                allowed=own.allowed,
            )


def _answered(log: Log) -> list[Case]:
    """Return answered cases of use; those of a review list were chosen for being doubtful."""
    return [own for own in log.all_cases() if own.answer is not None and own.listed is None]


def read_truths(
    path: Path, key: str, label: str, patient: str = "", known: str = ""
) -> dict[str, Truth]:
    """Return what turned out to be true of cases from a table.

    Args:
        path: a CSV.
        key: the column of the case's id or name.
        label: the column of its class.
        patient: the column of whom it belongs to; empty for none.
        known: the column of the date since which it is known; empty for none.

    Raises:
        DataError: it cannot be read, or has no such column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            for name in (key, label, *filter(None, (patient, known))):
                if name not in columns:
                    raise DataError(
                        f"{path} has no column '{name}'; it has {', '.join(columns) or 'none'}."
                    )
            found: dict[str, Truth] = {}
            for row in reader:
                if row[label]:
                    when = _when_known(row[known] or "", path) if known else None
                    told = Truth(row[label], row[patient] if patient else "", when)
                    if found.setdefault(row[key], told).label != told.label:
                        raise DataError(f"{path} gives {row[key]} two classes.")
            return found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"The truths in {path} cannot be read: {error}.") from error


def _when_known(text: str, path: Path) -> datetime:
    try:
        told = datetime.fromisoformat(text.strip())
    except ValueError:
        raise DataError(f"{path} has '{text}' where a date such as 2026-03-31 belongs.") from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _truth(case: Case, truths: Mapping[str, Truth] | None) -> Truth | None:
    if truths is not None:
        return _looked_up(case, truths)
    said = None
    for own in case.reviews:  # a later row may change the comment or the box alone
        said = own if said is None or own.label != said.label else said
    return Truth(said.label, known=said.created) if said else None


def _in_order(known: Iterable[tuple[Case, Truth]]) -> list[tuple[Case, Truth]]:
    """Return truths in the order in which they became known; of the cases, where that is not told.

    Bounds that hold at every look are about what was known at that look.
    """
    return sorted(known, key=lambda own: (own[1].known or own[0].created, own[0].number))


def _looked_up(case: Case, truths: Mapping[str, Truth]) -> Truth | None:
    names = (case.id, *_names(case))
    return next((truths[name] for name in names if name in truths), None)


def _names(case: Case) -> list[str]:
    """Return what a table may call a case: with and without its folder, and a volume's ending."""
    whole = case.name.removesuffix(".gz").removesuffix(".nii")
    names = [case.name, Path(case.name).name]
    if whole != case.name or case.kind == "series":
        names += [own + end for own in (whole, Path(whole).name) for end in ("", ".nii.gz", ".nii")]
    return list(dict.fromkeys(names))


def _refuse_ambiguous(cases: Sequence[Case], truths: Mapping[str, Truth]) -> None:
    """Refuse truths whose name is that of different images."""
    contents: dict[str, set[str]] = {}
    for case in cases:
        for name in _names(case) if case.content != NOTHING else ():
            contents.setdefault(name, set()).add(case.content)
    for name in truths:
        if len(contents.get(name, ())) > 1:
            raise DataError(
                f"Several images of the log are called {name}: give their ids or whole names "
                "with --by."
            )


def _with_patient(case: Case, truths: Mapping[str, Truth] | None) -> Case:
    found = _looked_up(case, truths) if truths else None
    return replace(case, patient=found.patient) if found and found.patient else case


def _answers(case: Case) -> bool:
    return bool((case.answer or {}).get("accepted"))


def _is_right(case: Case, truth: str) -> bool:
    return same_class((case.answer or {}).get("label", "")) == same_class(truth)


def _sure(case: Case) -> float:
    return float(max((case.answer or {}).get("probabilities", {}).values(), default=0.0))


def _over_time(
    known: Sequence[tuple[Case, Truth]], expected: float
) -> tuple[tuple[Moment, ...], float, datetime | None, datetime | None, float | None]:
    """Return what was known after each patient, and when evidence sufficed."""
    owners: dict[str, list[float]] = {}
    since: dict[str, datetime] = {}
    for case, truth in known:
        owners.setdefault(owner(case), []).append(float(_is_right(case, truth.label)))
        since.setdefault(owner(case), truth.known or case.created)
    if not owners:
        return (), 0.0, None, None, None
    values = np.array([np.mean(own) for own in owners.values()])
    dates = list(since.values())
    low, high = confidence_sequence(values)
    evidence = drop_evidence(values, expected, HORIZON)
    means = np.cumsum(values) / np.arange(1, len(values) + 1)
    moments = tuple(
        Moment(when=when, accuracy=mean, low=least, high=most, evidence=own)
        for when, mean, least, most, own in zip(
            dates, means.tolist(), low.tolist(), high.tolist(), evidence.tolist(), strict=True
        )
    )
    chance = _chance(known)
    fell = first_passing(evidence)
    beyond = first_passing(gain_evidence(values, chance)) if chance < 1 else None
    return (
        moments,
        float(evidence[-1]),
        None if fell is None else dates[fell],
        None if beyond is None else dates[beyond],
        chance,
    )


def _chance(known: Sequence[tuple[Case, Truth]]) -> float:
    """Return the share of the most frequent true class, mean over patients."""
    own: dict[str, Counter[str]] = {}
    for case, truth in known:
        own.setdefault(owner(case), Counter())[same_class(truth.label)] += 1
    shares: Counter[str] = Counter()
    for counts in own.values():
        for name, count in counts.items():
            shares[name] += count / counts.total()  # type: ignore[assignment]
    return max(shares.values()) / len(own)


def _first_of_batches(cases: Sequence[Case]) -> list[datetime]:
    seen: dict[str, datetime] = {}
    for case in cases:
        if not (case.answer or {}).get("error"):
            seen.setdefault(owner(case), case.created)
    dates = list(seen.values())
    return dates[FITTED + REFERENCE :: BATCH]


def _cautions(
    cases: Sequence[Case], truths: Mapping[str, Truth] | None, known: Sequence[tuple[Case, Truth]]
) -> Iterator[str]:
    """Yield what is odd about the truths."""
    if truths and not any(_looked_up(case, truths) for case in cases):
        yield (
            "No truth of the table is of a case of this log: the truths begin with "
            f"'{next(iter(truths))}', the cases with '{cases[0].name}'; --by names the column."
        )
    answers = [case.answer or {} for case, _ in known]
    classes = {same_class(name) for own in answers for name in own.get("probabilities", ())}
    strange = Counter(own.label for _, own in known if same_class(own.label) not in classes)
    if strange:
        named = ", ".join(name for name, _ in strange.most_common(3))
        yield (
            f"{plural(strange.total(), 'truth is of a class', 'truths are of classes')} that the "
            f"model does not have ({named}): each counts as an error."
        )


def _sentences(watched: Watched, evidence: float) -> list[str]:
    said = []
    if not watched.truths:
        said.append("No truth is known yet, so nothing can be said of accuracy.")
    else:
        last = watched.moments[-1]
        said.append(
            f"It was right on {with_interval(watched.accuracy)} of "
            f"{plural(watched.truths, 'answered case')} of "
            f"{plural(watched.patients, 'patient')}; mean accuracy of a patient "
            f"{last.accuracy:.1%}, with bounds that hold however often one looks: "
            f"{last.low:.1%} to {last.high:.1%}."
        )
        if watched.fell is not None:
            said.append(
                f"Alarm: accuracy fell below the expected {watched.expected:.1%}; the evidence "
                f"sufficed with the truth of {watched.fell:%Y-%m-%d}. It may have "
                "recovered since."
            )
        else:
            said.append(
                f"No fall below the expected {watched.expected:.1%} has been shown (evidence "
                f"{evidence:.2g}; the alarm is at 20)."
                + "".join(
                    f" Had it been {name} lower from the start, the best possible test would need "
                    f"about {plural(count, 'more patient')}."
                    for name, count in watched.needed.items()
                    if count
                )
            )
        if watched.chance == 1:
            said.append("All truths are of one class: nothing can be said against chance.")
        elif watched.beyond_chance is not None:
            said.append(
                "Shown to be better than always naming the most frequent class "
                f"({watched.chance:.1%} of these truths), with the truth of "
                f"{watched.beyond_chance:%Y-%m-%d}."
            )
        else:
            said.append("Not shown to be better than always naming the most frequent class.")
    if not watched.looks:
        said.append(
            f"Too few patients to look for drift: {FITTED + REFERENCE + BATCH} are needed; a case "
            "without a known patient counts as one."
        )
    elif not watched.drift:
        said.append(f"No drift was detected in {watched.looks} batches of {BATCH} patients.")
    said += [
        f"The batch of {BATCH} patients that begins on {own.since:%Y-%m-%d} differs from the early "
        f"ones in {own.what} (distance {own.distance:.2f})."
        for own in watched.drift[:5]
    ]
    if len(watched.drift) > 5:
        said.append(f"And {len(watched.drift) - 5} more alarms of drift.")
    return said
