"""How long an evaluation takes once the model has answered."""

import time
from collections.abc import Iterator
from statistics import median

import numpy as np

from tumorscope.evaluation import Cases, score_images
from tumorscope.evaluation.breakdown import score_patients, score_subgroups
from tumorscope.evaluation.confidence import score_calibration, score_selection, score_sets
from tumorscope.schema.card import ModelCalibration

IMAGES, CLASSES, ROUNDS = 5000, 4, 3
NAMES = tuple("abcd")


def measure() -> Iterator[str]:
    """Yield a row for patients of ten slices, and one for images without a patient."""
    for what, slices in (("500 patients", 10), ("5,000 groups of one", 1)):
        seconds = [_evaluate(slices, seed) for seed in range(ROUNDS)]
        spread = f"{median(seconds):.1f} s ({min(seconds):.1f} – {max(seconds):.1f})"
        yield f"| {what} | {spread} | ≤ 20 s |"


def _evaluate(slices: int, seed: int) -> float:
    """Return how long all scores of one set of answers take, in seconds."""
    generator = np.random.default_rng(seed)
    numbers = np.arange(IMAGES) // slices
    truth = numbers % CLASSES
    logits = generator.normal(size=(IMAGES, CLASSES))
    logits[np.arange(IMAGES), truth] += 2
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    cases = Cases(truth, chances, [f"g{n}" for n in numbers])
    controls = {"majority": truth * 0, "look_up": np.roll(truth, 1), "file_facts": truth * 0}
    leaking = numbers % 3 == 0
    columns = {"size": [str(n % 7) for n in range(IMAGES)], "plane": ["a", "b"] * (IMAGES // 2)}
    started = time.perf_counter()
    score_images(cases, controls, NAMES)
    score_images(cases.some(~leaking), {k: v[~leaking] for k, v in controls.items()}, NAMES)
    score_patients(cases, [f"p{n}" for n in numbers], NAMES)
    score_calibration(cases, ModelCalibration())
    score_sets(cases, ModelCalibration(), NAMES)
    score_selection(cases)
    score_subgroups(cases, columns)
    return time.perf_counter() - started
