"""Record how the work behind each progress bar goes, for the test of the time left.

    python tools/record_paces.py $TUMORSCOPE_DATA

Writes `tests/support/recorded_paces.json`. Run it on a machine that does nothing else; it takes
some ten minutes, starts with an empty cache, and keeps every bar that a user can watch long enough.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tumorscope
from tumorscope.inference.archive import score_archive

PATH = Path(__file__).parents[1] / "tests" / "support" / "recorded_paces.json"
SHORTER = ("epochs=6", "views=2", "patience=6")  # of each stage, so that it takes minutes
FEWEST, SHORTEST = 20, 3.0  # advances and seconds of a bar that says how long it will take


class Recorder:
    """A progress that keeps the moments of each piece of work."""

    def __init__(self) -> None:
        self.recorded: list[dict[str, object]] = []

    def say(self, line: str) -> None:
        """Show a line, so that somebody sees what is going on."""
        print(line)

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator["Recording"]:
        """Record a piece of work."""
        recording = Recording()
        yield recording
        end, moments = time.monotonic() - recording.started, recording.moments
        if total and len(moments) >= FEWEST and end >= SHORTEST:
            name = f"{title}: {total} {unit}"
            again = sum(str(one["title"]).startswith(name) for one in self.recorded)
            name += f", {again + 1}" if again else ""
            self.recorded.append(
                {"title": name, "total": total, "end": round(end, 3), "moments": moments}
            )


class Recording:
    """One piece of work."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.moments: list[tuple[float, int]] = []

    def advance(self, amount: int) -> None:
        """Keep the moment."""
        self.moments.append((round(time.monotonic() - self.started, 3), amount))

    def note(self, text: str) -> None:
        """Drop a note."""


def record(data: Path) -> list[dict[str, object]]:
    """Do what users do, and return how it went."""
    progress = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUMORSCOPE_CACHE"] = f"{folder}/cache"
        tumorscope.audit(data / "sartaj", out=f"{folder}/audit", progress=progress)
        tumorscope.demo(out=f"{folder}/demo", progress=progress)
        staged = tumorscope.train(
            data / "sartaj",
            recipe="mobilenetv2-staged",
            overrides=[
                "pretrained=false",
                *(f"stages.{n}.{own}" for n in (0, 1) for own in SHORTER),
            ],
            out=f"{folder}/staged",
            progress=progress,
        )
        tumorscope.train(
            data / "yesno",
            recipe="cnn-baseline",
            overrides=["epochs=8"],
            out=f"{folder}/cnn",
            progress=progress,
        )
        tumorscope.evaluate(staged.folder, robustness=True, progress=progress)
        score_archive(
            staged.folder,
            [str(path) for path in (data / "nickparvar").rglob("*.jpg")],
            Path(folder) / "answers.jsonl",
            progress=progress,
        )
    return progress.recorded


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    PATH.write_text(json.dumps(record(parser.parse_args().data)) + "\n", encoding="utf-8")
