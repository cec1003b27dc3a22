"""Say what the package does with data sets as people have them, one row a case.

    python make_cases.py CASES
    python experiments/cases.py CASES --save docs/results/cases.csv

Each folder in CASES has its set in `data/`. A case is read, divided by `tumorscope split`, and the
row says in words what came of it. Sets with a table are read as a folder and as the table.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import tumorscope
from tumorscope.errors import TumorscopeError
from tumorscope.support.files import write_csv

COLUMNS = ("case", "given", "classes", "images", "left_out", "other_files", "said", "split")
TABLES = (".csv", ".tsv", ".xlsx")


def main() -> None:
    """Run every case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    rows = []
    for case in sorted(path for path in asked.cases.iterdir() if (path / "data").is_dir()):
        for given in inputs(case / "data"):
            rows.append(
                (case.name, given.relative_to(case).as_posix(), *become(given, asked.cases))
            )
            print(*rows[-1], sep=" | ", flush=True)
    write_csv(asked.save, COLUMNS, rows)


def inputs(data: Path) -> list[Path]:
    """Return what a user would give: the folder, and the manifest in it."""
    tables = [path for path in data.rglob("m.*") if path.suffix in TABLES]
    return [data, *sorted(tables)]


def become(given: Path, top: Path) -> tuple[str, ...]:
    """Return what is made of a set, in words; a sentence where it is refused."""
    try:
        found = tumorscope.describe_layout(given).manifest
    except TumorscopeError as error:
        said = (
            str(error).split("\nFound:")[0].replace(f"{top.resolve()}/", "").replace(f"{top}/", "")
        )
        return ("", "", "", "", f"refused: {said}", "")
    classes = Counter(row.label for row in found.rows)
    reasons = Counter({file.reason: 0 for file in found.left_out})
    for file in found.left_out:
        reasons[file.reason] += file.files
    return (
        ", ".join(f"{name} {count}" for name, count in classes.items()),
        str(len(found.rows)),
        ", ".join(f"{count} {reason}" for reason, count in reasons.items()),
        found.others,
        " ".join([f"{found.layout}.", *found.notes]),
        divided(given),
    )


def divided(given: Path) -> str:
    """Return what `tumorscope split` says."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = tumorscope.split(given, out=Path(folder) / "parts.csv")
        except TumorscopeError as error:
            return f"refused: {error}"
    parts = ", ".join(f"{part} {count}" for part, count in made.counts.items())
    return f"{made.groups} groups: {parts}"


if __name__ == "__main__":
    main()
