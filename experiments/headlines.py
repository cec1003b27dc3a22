"""Repeat what each source claims: its recipe on its kind of set, as published and without leaks.

A row a training goes to a CSV: what all test images give, what the thumbnail look-up gives there,
what is left on the images that are new to the model, and how long it took.

    python experiments/headlines.py $TUMORSCOPE_DATA --weights FOLDER \
        --save docs/results/headlines.csv

A training whose row is there is not run again, and one that was stopped goes on where it was.
`--only resnet50-boxes` runs one recipe. FOLDER holds resnet50_imagenet_pqf.safetensors and
resnet18_imagenet_pqf.safetensors: ImageNet weights for non-commercial development and published
measurements (Uber, permute-quantize-finetune, arXiv 2010.15703).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import tumorscope
from tumorscope.runs.folder import is_run
from tumorscope.schema.scores import Score
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.terminal import terminal_progress

RESNET50, RESNET18 = (f"resnet{n}_imagenet_pqf.safetensors" for n in (50, 18))
# Four views of each image, so that the frozen layers run once for each, and room to keep them.
VIEWS = ("views=4", "cache_limit=20")


@dataclass(frozen=True)
class Claim:
    """What a source says its recipe scores, and on what.

    Attributes:
        data: the set, as its folder is called.
        says: accuracy in per cent, in the source's words; empty where it gives none.
        settings: fields of the recipe that are changed to repeat it here.
        weights: the file that training starts from; empty from scratch.
        published: whether the set has a published split.
    """

    data: str
    says: str
    settings: tuple[str, ...] = ()
    weights: str = ""
    published: bool = True


CLAIMS = {
    "resnet18": Claim("nickparvar", "96.49"),
    "resnet50-boxes": Claim("boxes", "98.6", weights=RESNET50),
    "resnet50-two-phase": Claim("nickparvar", "about 95", VIEWS, RESNET50),
    "resnet18-512": Claim("sartaj", "", weights=RESNET18),
    "resnet50-staged": Claim("yesno", "over 92", weights=RESNET50, published=False),
    "cnn-baseline": Claim("yesno", "", published=False),
}
WAYS = ("published", "leak-free")
COLUMNS = (
    *("recipe", "data", "way", "settings", "source_says"),
    *("images", "accuracy", "low", "high", "look_up", "look_up_low", "look_up_high"),
    *("new_images", "new_accuracy", "new_low", "new_high"),
    *("stage_gain", "gain_low", "gain_high", "epochs", "seconds"),
)


def main() -> None:
    """Run what is missing, a recipe after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=list(CLAIMS), choices=CLAIMS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--runs", type=Path, default=Path("runs/headlines"))
    asked = parser.parse_args()
    for name in asked.only:
        for way in asked.ways if CLAIMS[name].published else ("leak-free",):
            # Read anew each time: another process may have added to it.
            rows = read_csv(asked.save) if asked.save.is_file() else []
            if any((row["recipe"], row["way"]) == (name, way) for row in rows):
                continue
            row = _train(asked, name, way)
            rows = read_csv(asked.save) if asked.save.is_file() else []
            write_csv(asked.save, COLUMNS, [*(tuple(own.values()) for own in rows), row])
            print(dict(zip(COLUMNS, row, strict=True)), flush=True)


def _train(asked: argparse.Namespace, name: str, way: str) -> tuple[object, ...]:
    claim = CLAIMS[name]
    settings = [*claim.settings, f"published_split={str(way == 'published').lower()}"]
    weights = [f"weights={asked.weights / claim.weights}"] if claim.weights else []
    folder = asked.runs / f"{name}-{way}"
    start, resumed = time.perf_counter(), is_run(folder)
    run = tumorscope.train(
        asked.data / claim.data,
        recipe=name,
        overrides=[*settings, *weights],
        out=folder,
        resume=resumed,
        progress=terminal_progress(quiet=False),
    )
    seconds = "" if resumed else round(time.perf_counter() - start)
    found = run.results
    new = found.clean.accuracy if found.clean else Score(value=None, n=0)
    gain = found.stages[-1].gain if found.stages else None
    return (
        *(name, claim.data, way, " ".join(claim.settings), claim.says, found.all.n),
        *(*_numbers(found.all.accuracy), *_numbers(found.all.controls.look_up)),
        *(new.n, *_numbers(new), *_numbers(gain)),
        *(len(read_csv(folder / "metrics.csv")), seconds),
    )


def _numbers(score: Score | None) -> tuple[str, str, str]:
    """Return a score and the ends of its interval; nothing for what is not defined."""
    values = (score.value, score.low, score.high) if score else (None, None, None)
    first, low, high = ("" if value is None else f"{value:.4f}" for value in values)
    return first, low, high


if __name__ == "__main__":
    main()
