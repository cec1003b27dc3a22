"""Numbers in the pages are those of the files that they come from."""

import re
import statistics
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from experiments import candidates, coverage, folds, random_labels, small_data
from numpy.typing import NDArray
from scipy import stats

from tests.docs.pages import DOCS, prose, text_of
from tumorscope.evaluation.scores import share_score
from tumorscope.metrics.intervals import Clusters, paired_gain
from tumorscope.schema.scores import Score
from tumorscope.support.files import read_csv

RESULTS, MEASURED = DOCS / "results.md", DOCS / "results"
BEST, STAGED = DOCS / "recipes" / "best.md", DOCS / "recipes" / "mobilenetv2-staged.md"
Rows = list[dict[str, str]]
Report = Callable[[Sequence[dict[str, str]]], None]


def rows_of(name: str) -> Rows:
    """The rows of a file of results."""
    return read_csv(MEASURED / f"{name}.csv")


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[Report, Rows], list[str]]:
    """What an experiment prints for some rows, as the pages write numbers."""

    def run(report: Report, rows: Rows) -> list[str]:
        report(rows)
        return capsys.readouterr().out.replace("%", " %").splitlines()

    return run


def row(*cells: str) -> str:
    """A line of a table."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def percent(share: float | str | None) -> str:
    """A share in per cent, without its sign."""
    assert share is not None
    return f"{float(share):.1%}".removesuffix("%")


def span(low: str, high: str) -> str:
    """Ends of an interval, the unit after the second."""
    return f"{low.removesuffix(' %')} to {high}"


def holds(page: Path, *expected: str) -> None:
    """Each line or sentence stands in the page."""
    text = f"{text_of(page)}\n{prose(page)}"
    assert [one for one in expected if one not in text] == []


def line(lines: list[str], start: str) -> str:
    """The line that begins so."""
    return next(each for each in lines if each.startswith(start))


def test_means_on_small_data(printed: Callable[[Report, Rows], list[str]]) -> None:
    """Each recipe's mean, interval and seeds are what the experiment prints."""
    lines = printed(small_data.report, rows_of("small-data"))
    for name in ("cnn-baseline", "head-alone", "mobilenetv2-staged"):
        mean, low, high, *each = re.findall(r"[\d.]+ %", line(lines, f"{name}: mean"))
        seeds = ", ".join(value.removesuffix(" %") for value in each) + " %"
        holds(RESULTS, row(f"`{name}`", mean, span(low, high), seeds))
    (share,) = re.findall(r"[\d.]+ %", line(lines, "majority:"))
    holds(RESULTS, row("always the most frequent class of the training part", share, "", ""))
    staged = re.findall(r"[\d.]+ %", line(lines, "mobilenetv2-staged: mean"))
    scratch = re.findall(r"[\d.]+ %", line(lines, "cnn-baseline: mean"))
    holds(STAGED, f"{staged[0]} of 253 ({span(*staged[1:3])} over seeds)")
    holds(DOCS / "recipes" / "cnn-baseline.md", f"{scratch[0]} of 253 ({span(*scratch[1:3])}")
    for shown in (staged, scratch):
        holds(RESULTS, f"| 253 | {shown[0]} ({span(*shown[1:3]).removesuffix(' %')} over seeds) |")


@pytest.mark.parametrize(
    ("control", "named", "said"),
    [
        ("majority", "the most frequent class", "more than the most frequent class"),
        ("cnn-baseline", "`cnn-baseline`", "more than `cnn-baseline`"),
        ("head-alone", "the head alone", "more than its own first stage, the head alone"),
    ],
)
def test_gains_on_small_data(
    printed: Callable[[Report, Rows], list[str]], control: str, named: str, said: str
) -> None:
    """Each gain, its interval and its p-values are what the experiment prints, on both pages."""
    lines = printed(small_data.report, rows_of("small-data"))
    found = line(lines, f"mobilenetv2-staged against {control}:")
    gain, low, high = re.findall(r"[+-][\d.]+ %", found)
    chances = re.findall(r"\d\.\d{3}", found.partition("by seed")[2])
    tested = ", ".join("below 0.001" if p == "0.000" else p for p in chances)
    if set(chances) == {"0.000"}:
        tested = "all below 0.001"
    holds(RESULTS, row(f"over {named}", gain, span(low, high), tested))
    points, low, high = (value.removesuffix(" %") for value in (gain, low, high))
    text = prose(STAGED).replace("(95 % interval over groups ", "(")
    assert f"{points.removeprefix('+')} points ({low} to {high}) {said}" in text


def fold_score(own: dict[str, str]) -> Score:
    """The accuracy of one row with its interval, as results are computed today."""
    return share_score(answers([own]), Clusters.of(own["groups"].split()))


def answers(rows: Rows) -> NDArray[np.bool_]:
    """Whether each test image was answered right."""
    return np.array([c == "1" for own in rows for c in own["right"]])


@pytest.mark.parametrize(
    ("name", "page", "minutes"), [("best", BEST, True), ("mobilenetv2-staged", STAGED, False)]
)
def test_folds_of_cheng(
    printed: Callable[[Report, Rows], list[str]], name: str, page: Path, minutes: bool
) -> None:
    """Each fold's row, and the means over folds, are what the answers in the file give."""
    rows = [own for own in rows_of(f"{name}-on-cheng") if own["recipe"] == name]
    for own in rows:
        score, seconds = fold_score(own), float(own["seconds"])
        assert percent(score.value) == percent(own["accuracy"])
        holds(
            page,
            row(
                *(own["fold"], own["images"], f"{percent(score.value)} %"),
                f"{percent(score.low)} to {percent(score.high)} %",
                *(f"{percent(own[key])} %" for key in ("balanced_accuracy", "macro_f1")),
                f"{float(own['macro_auroc']):.3f}",
                f"{percent(own['majority'])} %",
                f"{seconds / 60:.0f} min" if minutes else f"{seconds:.0f} s",
            ),
        )
    lines = printed(folds.report, rows)
    pattern = r"mean ([\d.]+) %, (\d+) of (\d+) images, ([\d.]+) % \(([\d.]+) % to ([\d.]+) %\)"
    found = [re.search(pattern, each) for each in lines]
    (mean, _, count, share, low, high), (later, *rest) = [m.groups() for m in found if m]
    images = f"{int(count):,}"
    holds(
        page,
        f"Mean of the five folds {float(mean):.1f} %, of folds 2 to 5 {float(later):.1f} %",
        f"all {images} images together {share} % (",
        f"{low} to {high} %",
    )
    holds(RESULTS, f"published patient folds | {images} | {share} % ({low} to {high}) |")
    if minutes:
        right, some, own_share, own_low, own_high = rest
        holds(page, f"on the {int(some):,} of folds 2 to 5 {own_share} % ({own_low} to {own_high}")
        holds(page, f"the second misses it by {96 - float(later):.2f} points, two images")
        assert round(0.96 * int(some) - int(right)) == 2
        wrong = int((~answers(rows)).sum())
        holds(page, f"18 of the {wrong} errors are the 18 slices of one patient of fold 5")


def test_best_over_seeds(printed: Callable[[Report, Rows], list[str]]) -> None:
    """Each seed's mean over folds, and all seeds together, with intervals."""
    rows = rows_of("best-seeds-on-cheng")
    pattern = r"mean ([\d.]+) %, \d+ of \d+ images, ([\d.]+) % \(([\d.]+) % to ([\d.]+) %\)"

    def means(some: Rows) -> list[re.Match[str]]:
        return [m for line in printed(folds.report, some) if (m := re.search(pattern, line))]

    seeds = [means([own for own in rows if own["seed"] == seed])[0][1] for seed in "012"]
    first, second, third = (f"{float(mean):.1f}" for mean in seeds)
    together, later = means(rows)
    holds(
        BEST,
        f"the mean of the five folds is {first}, {second} and {third} %, together {together[2]} % "
        f"(95 % interval over patients {together[3]} to {together[4]} %)",
        f"that of folds 2 to 5 {later[2]} % ({later[3]} to {later[4]} %)",
    )
    holds(RESULTS, f"3,064 × 3 | {together[2]} % ({together[3]} to {together[4]}) |")


@pytest.mark.parametrize("name", ["two", "now", "unfilled"])
def test_best_of_two_of_one_and_without_filling(
    name: str, printed: Callable[[Report, Rows], list[str]]
) -> None:
    """The tables of folds and seeds, and what is right of all images."""
    rows = rows_of(f"best-{name}-on-cheng")
    pattern = r"folds \[(.*)\]: mean ([\d.]+) %, \d+ of \d+ images, ([\d.]+) % \((.*) % to (.*) %\)"

    def found(some: Rows) -> dict[str, tuple[str, ...]]:
        lines = printed(folds.report, sorted(some, key=lambda own: own["fold"]))
        return {m[1]: m.groups()[1:] for line in lines if (m := re.search(pattern, line))}

    for seed in "012":
        own = [one for one in rows if one["seed"] == seed]
        scores = {one["fold"]: f"{percent(one['accuracy'])} %" for one in own}
        cells = [scores[str(fold)] for fold in range(1, 6)]
        means = [f"{float(found(own)[some][0]):.1f} %" for some in ("1, 2, 3, 4, 5", "2, 3, 4, 5")]
        first = f"{seed} and {(int(seed) + 1) % 3}" if name == "two" else seed
        holds(BEST, row(first, *cells, *means))
    mean, right, low, high = found(rows)["1, 2, 3, 4, 5"]
    later = found(rows)["2, 3, 4, 5"]
    digits = 2 if name == "two" else 1
    holds(BEST, f"is {float(mean):.{digits}f} %, over folds 2 to 5 {float(later[0]):.{digits}f} %")
    holds(RESULTS, f"published patient folds | 3,064 × 3 | {right} % ({low} to {high}) |")
    holds(BEST, f"right on {right} % of the images (95 % interval over patients {low} to {high} %)")
    holds(BEST, f"on {later[1]} % of folds 2 to 5 ({later[2]} to {later[3]} %)")


@pytest.mark.parametrize("names", [("unfilled", "now"), ("now", "two")])
def test_what_filling_and_a_second_network_are_worth_to_best(names: tuple[str, str]) -> None:
    """The gain in accuracy over all seeds and folds, paired run by run."""
    both = (rows_of(f"best-{name}-on-cheng") for name in names)
    without, now = ({f"{own['seed']} {own['fold']}": own for own in rows} for rows in both)
    assert sorted(without) == sorted(now)
    gain = told_gain(without, now, sorted(now)).replace(" (", ", ").rstrip(")")
    holds(BEST, f"run by run: {gain}")


def test_one_run_of_two_networks() -> None:
    """Its time and its accuracy."""
    (own,) = rows_of("best-whole-on-cheng")
    score, seconds = fold_score(own), float(own["seconds"])
    holds(
        BEST,
        f"took {seconds / 60:.0f} min on both cores",
        f"right on {percent(score.value)} % of the {own['images']} images of fold {own['fold']} "
        f"({percent(score.low)} to {percent(score.high)} %)",
    )


def test_what_averages_of_networks_gain() -> None:
    """Pairs against the mean of the two alone, in points, over folds."""
    rows = rows_of("averages-on-cheng")
    shares: dict[tuple[str, str, str], list[float]] = {}
    for own in rows:
        key = (own["models"], own["averaged"], own["part"])
        shares.setdefault(key, []).append(int(own["right"]) / int(own["images"]))

    def gained(averaged: str, part: str) -> list[float]:
        """Return what each pair gains."""
        return [
            100 * statistics.mean(own)
            - 50 * sum(statistics.mean(shares[name, "answers", part]) for name in names)
            for (models, how, where), own in shares.items()
            if (how, where) == (averaged, part) and len(names := models.split(" + ")) == 2
        ]

    gains = [gained(*key) for key in (("answers", "test"), ("answers", "validation"))]
    assert [len(own) for own in gains] == [6, 6]
    test, validation = (f"{statistics.mean(own):.1f}" for own in gains)
    holds(BEST, f"is right on {test} points more", f"on {validation} points more of the validation")
    weights = gained("weights", "validation")
    assert len(weights) == 3
    holds(BEST, f"{statistics.mean(weights):.1f} points on validation images")


def test_what_was_tried_for_best(printed: Callable[[Report, Rows], list[str]]) -> None:
    """Frozen early layers on the pairs that both have run, and views on all."""
    *_, together, views = printed(candidates.report, rows_of("best-candidates"))
    as_is, _, late, _ = re.findall(r"([\d.]+) %", together)
    holds(
        BEST, f"frozen, {late} % were right over four pairs of folds", f"all layers get {as_is} %"
    )
    before, after = re.findall(r"([\d.]+) %", views)
    answered, better = re.findall(r"over (\d+) answered folds; it is better on (\d+)", views)[0]
    holds(BEST, f"takes {before} to {after} % over {answered} answered folds")
    holds(BEST, f"is better on {better} of them")


def test_what_attention_gained() -> None:
    """The gain of attention is the paired gain of the two versions in the file."""
    rows = rows_of("best-on-cheng")
    without = [own for own in rows if own["recipe"] == "best-without-attention"]
    numbers = {own["fold"] for own in without}
    attended = [own for own in rows if own["recipe"] == "best" and own["fold"] in numbers]
    groups = [group for own in attended for group in own["groups"].split()]
    first, second = answers(without), answers(attended)
    gain, ends = paired_gain(first, second, groups)
    assert ends is not None
    low, high = (f"{100 * end:+.1f}" for end in ends)
    holds(
        BEST,
        f"{percent(first.mean())} to {percent(second.mean())} % of {len(first):,} images",
        f"{100 * gain:+.1f} points (95 % interval over patients {low} to {high})",
    )


@pytest.mark.parametrize("score", ["accuracy", "balanced accuracy", "AUROC"])
def test_coverage(printed: Callable[[Report, Rows], list[str]], score: str) -> None:
    """How often intervals hold the truth is what the experiment prints."""
    lines = printed(coverage.report, rows_of("coverage"))
    for name, sizes in (("12 to 30", coverage.FEW), ("40 to 200", coverage.MANY)):
        covered = line(lines, f"{score}, {name} patients, covered")
        slicewise = line(lines, f"{score}, {name} patients, slicewise")
        pooled, low, high = re.findall(r"[\d.]+ %", covered)
        alone = re.findall(r"[\d.]+ %", slicewise)[0]
        listed = ", ".join(map(str, sizes))
        holds(RESULTS, row(score, listed, pooled, span(low, high), alone))


def test_coverage_in_the_hard_corner() -> None:
    """The rows where few patients hold all mistakes are those of the file."""
    hard = [own for own in rows_of("coverage") if float(own["accuracy"]) == coverage.HARD[0]]
    held = {(own["score"], own["patients"]): own for own in hard}
    for patients in map(str, (*coverage.FEW, *coverage.MANY)):
        own = [held[score, patients] for score in coverage.STUDIES]
        warned, quiet = own[0]["warned"], own[0]["covered_unwarned"]
        few = float(warned) > 0.95
        holds(
            RESULTS,
            row(
                patients,
                *(f"{percent(each['covered'])} %" for each in own),
                f"{percent(own[0]['slicewise'])} %",
                f"{percent(warned)} %",
                "too few to say" if few else f"{percent(quiet)} %",
            ),
        )


def test_gate() -> None:
    """What the gate lets through is what the file says, for both runs."""
    rows = rows_of("gate")
    runs = list(dict.fromkeys(own["run"] for own in rows))
    labels = {
        "its own test images": "own test images",
        "slices of yesno": "slices of `yesno`",
        "slices of boxes": "slices of `boxes`",
        "other body parts and modalities": "eyes, cells, CT, ultrasound, a skeleton, a liver",
    }
    assert len(runs) == 2
    for kind in dict.fromkeys(own["inputs"] for own in rows):
        pair = [own for own in rows if own["inputs"] == kind]
        shown = [shown_gate(own) for own in pair]
        pictures, images = pair[0]["pictures"], pair[0]["images"]
        pattern = rf"\| {re.escape(labels.get(kind, kind))} \| {pictures}( \({images}[\w ]*\))? \| "
        assert re.search(pattern + re.escape(" | ".join(shown)) + r" \|", text_of(RESULTS)), kind


def shown_gate(own: dict[str, str]) -> str:
    """How a row of the gate's file reads in the table."""
    share = percent(own["refused"])
    refused = "100 %" if share == "100.0" else f"{share} %"
    if not own["auroc"]:
        return f"refused {refused}"
    area = Decimal(own["auroc"])
    digits = Decimal("0.0001" if area > Decimal("0.99") else "0.001")
    return f"{area.quantize(digits, ROUND_HALF_UP)}, {refused}"


def test_random_labels(printed: Callable[[Report, Rows], list[str]]) -> None:
    """What a network learns from labels that mean nothing is what the experiment prints."""
    rows = rows_of("random-labels")
    lines = printed(random_labels.report, rows)
    for partition, named in (("by patient", "by patient"), ("random images", "image by image")):
        found = line(lines, f"{partition}:")
        area, low, high = re.findall(r"\d\.\d{3}", found)
        accuracy, learnt = re.findall(r"[\d.]+ %", found)
        own = [each for each in rows if each["partition"] == partition]
        means = [np.mean([float(each[key]) for each in own]) for key in ("look_up", "majority")]
        controls = [f"{percent(float(mean))} %" for mean in means]
        holds(RESULTS, row(named, f"{area} ({low} to {high})", accuracy, *controls, learnt))


def test_the_table_of_planted_copies_is_that_of_its_file() -> None:
    """Each cell of the table on the audit's page stands in the CSV."""
    page = (DOCS / "using" / "audit.md").read_text(encoding="utf-8")
    for row in read_csv(DOCS / "results" / "copies.csv"):
        (line,) = [text for text in page.splitlines() if text.startswith(f"| {row['change']} |")]
        assert f"{float(row['recall']):.1%}".replace("%", " %") + f" of {row['copies']}" in line


def ends_of(own: dict[str, str], name: str, shown: Callable[[str], str], unit: str = "") -> str:
    """A score with its interval."""
    low, high = (shown(own[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{shown(own[name])}{unit} ({low} to {high})"


@pytest.mark.parametrize("name", ["best", "mobilenetv2-staged"])
def test_what_models_look_at_and_rely_on(name: str) -> None:
    """The tables on explaining, cell by cell."""
    page = DOCS / "using" / "explain.md"
    for own in rows_of(f"maps-{name}"):
        cells = [ends_of(own, key, percent, " %") for key in ("pointing", "energy")]
        cells.append(ends_of(own, "iou", lambda value: f"{float(value):.2f}"))
        parts = [f"{percent(own[key])} %" for key in ("recall", "small", "middle", "large")]
        holds(page, row(own["method"], *cells, *parts))
    for own in rows_of(f"reliance-{name}"):
        parts = [f"{percent(own[key])} %" for key in ("glioma", "meningioma", "pituitary")]
        holds(page, row(own["change"], ends_of(own, "answer_changes", percent, " %"), *parts))


def test_what_slow_methods_point_at() -> None:
    """The table of the methods that answer an image many times, cell by cell."""
    rows = {own["method"]: own for own in rows_of("maps-best-slow")}
    for name in ("integrated-gradients", "rise", "occlusion", "layercam", "Gaussian in the middle"):
        own = rows[name]
        cells = [ends_of(own, key, percent, " %") for key in ("pointing", "energy")]
        cells.append(ends_of(own, "iou", lambda value: f"{float(value):.2f}"))
        holds(DOCS / "using" / "explain.md", row(name, *cells, f"{percent(own['recall'])} %"))


def test_whether_maps_of_the_staged_recipe_may_be_believed() -> None:
    """What is hidden first against random order, and where maps stay the same."""
    rows = [own for own in rows_of("sanity-mobilenetv2-staged") if own["method"] == "layercam"]
    page = DOCS / "using" / "explain.md"
    first = [f"{float(rows[0][key]):.2f}" for key in ("deletion", "random_deletion")]
    holds(page, f"({first[0]} against {first[1]} in")
    stay = [f"{float(own['likeness']):.2f}" for own in rows if own["trusted"] == "False"]
    holds(page, f"({' and '.join(stay)})")


def test_whether_maps_of_the_best_recipe_may_be_believed() -> None:
    """What is left without weights, hidden first and shown first, over the five folds."""
    rows = [own for own in rows_of("sanity-best") if own["method"] == "layercam"]

    def span(key: str) -> str:
        """The least and the largest value of a column."""
        values = sorted(float(own[key]) for own in rows)
        return f"{values[0]:.2f} to {values[-1]:.2f}"

    page = DOCS / "using" / "explain.md"
    holds(page, f"falls to {span('likeness')} when all are")
    holds(page, f"probability of {span('deletion')}, random order {span('random_deletion')}")
    holds(page, f"gives {span('insertion')} against {span('random_insertion')}")
    assert all(own["trusted"] == "True" for own in rows)


def test_what_the_sources_claim() -> None:
    """Each run has its row: look-up, what is left on new images, what the second stage gained."""

    def told(own: dict[str, str], *names: str) -> str:
        """A share with its interval."""
        value, low, high = (percent(own[name]) for name in names)
        return f"{value} % ({low} to {high})"

    for own in rows_of("headlines"):
        gain = [100 * float(own[name] or 0) for name in ("stage_gain", "gain_low", "gain_high")]
        new = int(own["new_images"])
        cells = (
            f"[`{own['recipe']}`](recipes/{own['recipe']}.md), {own['way']}",
            f"`{own['data']}`",
            f"{own['source_says']} %" if own["source_says"] else "no figure",
            f"{int(own['images']):,}",
            told(own, "accuracy", "low", "high"),
            told(own, "look_up", "look_up_low", "look_up_high"),
            f"{told(own, 'new_accuracy', 'new_low', 'new_high')} of {new}" if new else "–",
            f"{gain[0]:+.1f} points ({gain[1]:+.1f} to {gain[2]:+.1f})"
            if own["stage_gain"]
            else "–",
        )
        holds(DOCS / "results.md", row(*cells))


def test_what_bfloat16_costs() -> None:
    """Means of ten seeds in both precisions, and what the difference may be."""
    rows = rows_of("precision-cpu")
    for variant in dict.fromkeys(own["variant"] for own in rows):
        seeds = {own["seed"] for own in rows if own["variant"] == variant}
        assert len(seeds) == 10
        right = {
            precision: [
                np.array([mark == "1" for mark in own["right"]])
                for own in rows
                if (own["variant"], own["precision"]) == (variant, precision)
            ]
            for precision in ("single", "bfloat16")
        }
        means = {name: np.array([own.mean() for own in right[name]]) for name in right}
        apart = 100 * (means["bfloat16"] - means["single"])
        low, high = stats.t.interval(0.95, len(apart) - 1, apart.mean(), stats.sem(apart))
        cells = [f"{percent(float(means[name].mean()))} %" for name in ("single", "bfloat16")]
        told = row(variant, *cells, f"{apart.mean():+.1f} points", f"{low:+.1f} to {high:+.1f}")
        holds(DOCS / "results.md", told.removesuffix("|"))


def told_gain(
    without: dict[str, dict[str, str]], learned: dict[str, dict[str, str]], folds: list[str]
) -> str:
    """The gain in accuracy over all images of some folds, paired, with its interval."""
    before, after = (
        np.array([c == "1" for fold in folds for c in own[fold]["right"]])
        for own in (without, learned)
    )
    groups = [group for fold in folds for group in learned[fold]["groups"].split()]
    gain, ends = paired_gain(before, after, groups)
    assert ends is not None
    return f"{100 * gain:+.1f} points ({100 * ends[0]:+.1f} to {100 * ends[1]:+.1f})"


def test_what_localising_gives() -> None:
    """The boxes of both recipes, and what learning them did to the classes."""
    page = DOCS / "using" / "explain.md"
    names = ("best-localise", "mobilenetv2-staged-localise")
    for one, other in zip(*(rows_of(f"boxes-{name}") for name in names), strict=True):
        share = one["score"] in ("iou at least 0.5", "pointing")
        shown: Callable[[str], str] = percent if share else lambda value: f"{float(value):.2f}"
        unit = " %" if share else ""
        cells = [ends_of(own, "value", shown, unit) for own in (one, other)]
        holds(page, row(one["score"], *cells))
    rows = rows_of("localise-on-cheng")
    best = {own["fold"]: own for own in rows_of("best-unfilled-on-cheng") if own["seed"] == "2"}
    pairs = {
        "best": (best, {r["fold"]: r for r in rows if r["recipe"] == "best-localise"}),
        "mobilenetv2-staged": tuple(
            {r["fold"]: r for r in rows if r["recipe"] == f"staged-{own}"}
            for own in ("false", "true")
        ),
    }
    for name, (without, learned) in pairs.items():
        folds = sorted(without)
        means = [
            f"{100 * np.mean([float(own[fold]['accuracy']) for fold in folds]):.1f} %"
            for own in (without, learned)
        ]
        holds(page, row(name, *means, told_gain(without, learned, folds)))


def test_what_taking_away_in_training_gives() -> None:
    """Accuracy, reliance and another set, with a lesion filled or the background hidden."""
    page = DOCS / "using" / "explain.md"
    without = {own["fold"]: own for own in rows_of("best-unfilled-on-cheng") if own["seed"] == "2"}
    elsewhere = rows_of("best-on-sartaj")
    for field in ("", "fill_lesion", "hide_background"):
        name, tag = (f"best-{field}", f"-{field}-") if field else ("best", "best-best-")
        rows = rows_of("counter-measures-on-cheng")
        own = {r["fold"]: r for r in rows if r["recipe"] == name} if field else without
        folds = sorted(own)
        mean = np.mean([float(own[fold]["accuracy"]) for fold in folds])
        changes = {r["change"]: r for r in rows_of(f"reliance-{name}")}
        filled = changes["lesion filled"]
        cells = [ends_of(filled, "answer_changes", percent, " %")]
        cells += [f"{percent(filled[key])} %" for key in ("glioma", "meningioma", "pituitary")]
        cells += [f"{percent(filled['fall'])} points"]
        shown = f"`augment.{field}=0.3`" if field else "neither"
        told = told_gain(without, own, folds) if field else ""
        holds(page, row(shown, f"{100 * mean:.1f} %", told, *cells))
        there = [float(r["accuracy"]) for r in elsewhere if tag in r["run"]]
        assert len(there) == 3
        spread = f"{100 * min(there):.1f} to {100 * max(there):.1f} %"
        holds(page, row(shown, f"{100 * np.mean(there):.1f} %", spread))


def test_what_watching_sees_on_real_images() -> None:
    """The table of another set and of other files, cell by cell."""
    for one in rows_of("real-drift"):
        most = f"{one['largest']}, {one['statistic']}"
        cells = (one["what"], one["images"], one["alarms"] or "nothing", most)
        holds(DOCS / "using" / "reader.md", row(*cells))


def test_how_often_watching_errs() -> None:
    """The table of simulated years, cell by cell."""
    page = DOCS / "using" / "reader.md"
    for one in rows_of("watching"):
        expected = f"{percent(one['expected'])} %" if one["expected"] else ""
        what = one["what"]
        if what == "fall is told":
            what = f"a fall of {100 * float(one['fall']):.0f} points is detected"
        elif one["fall"]:
            what = f"{what.replace('told', 'detected')}, half a standard deviation"
        share = f"{percent(one['share'])} % of {one['runs']}"
        holds(page, row(what, expected, share, one["median_delay"], one["best_possible"]))
