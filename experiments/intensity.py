"""What the scaling of a scanner's levels does to slices of public sets, and to what a model says.

Each slice is written with twelve bits, as a scanner would, and scaled as a DICOM object is. Printed
for each set: the level, of 255, that the published files have where the scaling looks for white;
and, before and after, how many slices the shipped model answers, and how often its class stays.

    python experiments/intensity.py $TUMORSCOPE_DATA
"""

import argparse
from pathlib import Path

import numpy as np

from tumorscope.data.layouts.tree import walk
from tumorscope.data.read import read_image
from tumorscope.data.read.intensity import BRIGHTEST, normalise
from tumorscope.inference.predict import Predictor
from tumorscope.records import Prediction

SETS = ("cheng", "sartaj", "yesno", "nickparvar")
IMAGES = 300  # of each set
TWELVE_BITS = 4095 / 255


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    predictor = Predictor.load()
    for name in SETS:
        tree = walk(data / name)
        drawn = np.random.default_rng(0).permutation(tree.images)[:IMAGES]
        levels, answers = [], []
        for image in drawn:
            pixels = read_image(tree.root / image).pixels.astype(np.float32)
            levels.append(np.percentile(pixels[pixels > pixels.mean()], BRIGHTEST))
            scanned = np.rint(pixels * TWELVE_BITS).astype(np.uint16)
            answers.append((predictor(pixels), predictor(normalise(scanned))))
        accepted = [sum(pair[n].accepted for pair in answers) for n in (0, 1)]
        same = sum(_class(before) == _class(after) for before, after in answers)
        quarters = ", ".join(f"{level:.0f}" for level in np.percentile(levels, [25, 50, 75]))
        print(
            f"{name}: white at {quarters} (quartiles); of {len(answers)} slices answered "
            f"{accepted[0]} as published, {accepted[1]} as scanned; the class of {same} stays"
        )


def _class(answer: Prediction) -> str:
    """Return the likeliest class, also where the gate refuses."""
    return max(answer.probabilities, key=lambda name: answer.probabilities[name])


if __name__ == "__main__":
    main()
