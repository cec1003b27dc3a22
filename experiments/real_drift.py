"""What `tumorscope watch` says when a model meets another set, or its own images in other files.

A model of `sartaj` answers three hundred of its test images, and then, in a log of their own each,
a hundred more of them as they are, the same resized, the same re-encoded, and `yesno`.

    python experiments/real_drift.py RUN $TUMORSCOPE_DATA --save docs/results/real-drift.csv
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tumorscope.data.layouts import read_manifest
from tumorscope.inference.predict import Predictor
from tumorscope.runs.folder import read_run_partition
from tumorscope.support.files import write_csv
from tumorscope.watching.drift import BATCH, FITTED, REFERENCE, Drift, find_drift
from tumorscope.watching.log import Log
from tumorscope.watching.record import record_answers

EARLY = FITTED + REFERENCE
COLUMNS = ("what", "images", "looks", "alarms", "largest", "statistic")


def main() -> None:
    """Watch the model on each, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a finished run on sartaj")
    parser.add_argument("data", type=Path)
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    predictor = Predictor.load(asked.run, threads=1)
    manifest = read_manifest(asked.data / "sartaj")
    test = read_run_partition(asked.run, "", "").where("test")
    drawn = [
        manifest.root / manifest.rows[n].image for n in np.random.default_rng(0).permutation(test)
    ]
    files = list({path.read_bytes(): path for path in drawn}.values())[: EARLY + BATCH]
    early, later = files[:EARLY], files[EARLY:]
    other = read_manifest(asked.data / "yesno")
    strange = [other.root / row.image for row in other.rows]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        batches: dict[str, Sequence[Path]] = {
            "further test images": later,
            "the same, half the size": changed(later, Path(name) / "half", halved, 95),
            "the same, JPEG of quality 30": changed(later, Path(name) / "jpeg", as_it_is, 30),
            "yesno": [strange[n] for n in np.random.default_rng(0).permutation(len(strange))],
        }
        for number, (what, some) in enumerate(batches.items()):
            found = watched(predictor, Path(name) / str(number), [*early, *some])
            rows.append((what, len(some), *summed_up(found)))
            print(*rows[-1], sep="\t", flush=True)
    write_csv(asked.save, COLUMNS, rows)


def halved(image: Image.Image) -> Image.Image:
    """Return an image at half its size."""
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def as_it_is(image: Image.Image) -> Image.Image:
    """Return an image."""
    return image


def changed(
    files: Sequence[Path], folder: Path, change: Callable[[Image.Image], Image.Image], quality: int
) -> list[Path]:
    """Write images anew as JPEG, changed, and return their files."""
    folder.mkdir()
    written = []
    for number, path in enumerate(files):
        with Image.open(path) as image:
            change(image.convert("L")).save(folder / f"{number}.jpg", quality=quality)
        written.append(folder / f"{number}.jpg")
    return written


def watched(predictor: Predictor, place: Path, files: Sequence[Path]) -> tuple[Drift, ...]:
    """Answer files in their order into a log, and look for drift in it."""
    log = Log(place)
    for _ in record_answers(predictor, log, map(str, files), 2):
        pass
    found = find_drift(list(log.all_cases()))
    log.close()
    return found


def summed_up(found: Sequence[Drift]) -> tuple[object, ...]:
    """Return looks, what raised an alarm, and which thing differed most and by how much."""
    alarms = sorted({one.what for one in found if one.alarming})
    most = min(found, key=lambda one: one.p_value)
    return len({one.look for one in found}), "; ".join(alarms), most.what, f"{most.statistic:.2f}"


if __name__ == "__main__":
    main()
