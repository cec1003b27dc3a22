"""Lay out random trees of files and take each through a verb of the command line.

    make fuzz                                   # a few hundred trees, then bytes
    python fuzz/trees.py 10000 --save docs/results/fuzzed-trees.csv

Names, links, permissions, tables, archives and images are drawn at random, most of them from what
people really have. A verb may do its work (exit code 0), fail on some inputs (1) or refuse in words
(2). A traceback, another code or a change in the data is a fault, and an answer that takes longer
than a minute ends the run. The number of a fault draws its tree again:

    python fuzz/trees.py 1 --first NUMBER

Run it as an ordinary user: nothing is unreadable to root.
"""

import argparse
import contextlib
import faulthandler
import io
import json
import os
import random
import shutil
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from tumorscope import cli

LIMIT = 60  # seconds for a verb on a few dozen files, on a machine that has nothing else to do
VERBS = {"layouts": 20, "split": 33, "audit": 14, "predict": 28, "train": 5}  # per hundred trees
BATCH = 400  # trees for which processes are started
CLASSES = ("glioma", "meningioma", "no_tumor", "yes", "no", "Grade 1.0", "IDH+", "IDH-", "1", "-1")
FOLDERS = (
    *CLASSES,
    *("train", "test", "val", "Training Set", "valid_images", "images", "labels", "masks", "pred"),
    *("p1", "p2", "patient 03", "T1", "T2", "glioma - Copy", "New folder", ".git", "__MACOSX"),
    *("méningiome", "me\u0301ningiome", "a\nb", " ", "-q", "--help", "~", "%s", "[x]", "nan"),
    *("x" * 200, "\x1b[31m", "CON", "a.png", "fold_1", "unlabeled"),
)
STEMS = (
    *("0", "1", "2", "slice 7", "aug_0_3", "0_mask", "TCGA_CS_4941_12", "Tr-gl_3", "sub-01_02"),
    *("-o", "x.jpg.rf.0f", "é", "e\u0301", "a\tb", "\u202e", "data", "_classes", "_annotations"),
    *("m", "README"),
)
PICTURES = (".png", ".PNG", ".jpg", ".jpeg", ".tif", ".bmp", ".gif", ".webp")
ENDS = (*PICTURES, "", ".txt", ".csv", ".tsv")
MORE_ENDS = (
    *(".json", ".xml", ".yaml", ".zip", ".tar.gz"),
    *(".npz", ".mat", ".xlsx", ".dcm", ".nii.gz"),
)


@dataclass(frozen=True)
class Trial:
    """What one verb made of one tree."""

    number: int
    verb: str
    code: object
    seconds: float
    fault: str
    said: str


def main() -> None:
    """Draw so many trees, and end with a table of exit codes by verb."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds for a verb")
    parser.add_argument("--save", type=Path)
    asked = parser.parse_args()
    one = partial(attempt, limit=asked.limit)
    numbers = range(asked.first, asked.first + asked.trees)
    start, trials = time.perf_counter(), []
    for first in range(0, len(numbers), BATCH):
        # New processes now and then: memory of hundreds of trees is given back for certain.
        with ProcessPoolExecutor(asked.workers, get_context("spawn")) as pool:
            for trial in pool.map(one, numbers[first : first + BATCH], chunksize=10):
                trials.append(trial)
                if trial.fault:
                    print(f"Tree {trial.number}, {trial.verb}: {trial.fault}\n{trial.said}")
        print(f"{len(trials)} of {asked.trees} trees", file=sys.stderr, flush=True)
    rows = summarise(trials)
    for row in rows:
        print(*(f"{cell:>10}" for cell in row))
    print(f"{len(trials)} trees in {(time.perf_counter() - start) / 60:.1f} min")
    faults = [trial.number for trial in trials if trial.fault]
    if faults:
        sys.exit(f"{len(faults)} faults: trees {' '.join(map(str, faults))}")
    if asked.save:
        asked.save.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


def summarise(trials: list[Trial]) -> list[tuple[object, ...]]:
    """Return a row a verb: trees, how often it ended with 0, 1 and 2, and its slowest answer."""
    by_verb: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_verb[trial.verb].append(trial)
    rows: list[tuple[object, ...]] = [
        ("verb", "trees", "done", "some_failed", "refused", "slowest_s")
    ]
    for verb in VERBS:
        own = by_verb[verb]
        codes = [trial.code for trial in own]
        slowest = max((trial.seconds for trial in own), default=0.0)
        rows.append((verb, len(own), *(codes.count(code) for code in (0, 1, 2)), f"{slowest:.1f}"))
    return rows


def attempt(number: int, limit: int = LIMIT) -> Trial:
    """Lay one tree out, run one verb on it, and look at what it did."""
    draw = random.Random(number)  # noqa: S311 (drawn again by its number)
    with tempfile.TemporaryDirectory(prefix="tumorscope-trees-") as folder:
        place = Path(folder).resolve()
        os.environ["TUMORSCOPE_CACHE"] = str(place / "cache")
        data = place / os.fsdecode(draw.choice((*[b"data"] * 6, "dä ta".encode(), b"d\xff")))
        data.mkdir()
        if draw.random() < 0.6:
            begin(data, draw)
        folders = draw.sample(FOLDERS, k=draw.choice((2, 4, 8, len(FOLDERS))))
        for _ in range(draw.choice((0, 1, 4, 12, 30))):
            with contextlib.suppress(OSError):  # a name that is taken, or none of this system
                add(data, folders, draw)
        close(data, draw)
        before = snapshot(data)
        verb = draw.choices(list(VERBS), list(VERBS.values()))[0]
        words = [verb, *command(verb, str(given(data, draw)), draw, place)]
        faulthandler.dump_traceback_later(limit, exit=True)
        start = time.perf_counter()
        code, said = run(words, place)
        seconds = time.perf_counter() - start
        faulthandler.cancel_dump_traceback_later()
        fault = ""
        if code not in (0, 1, 2) or (code == 1 and verb != "predict"):
            fault = f"exit code {code}"
        elif "Traceback" in said:
            fault = "a traceback"
        elif snapshot(data) != before:
            fault = "the data has changed"
        reopen(data)
    return Trial(number, verb, code, seconds, fault, f"{words}\n{said[-3000:]}" if fault else "")


def run(words: list[str], place: Path) -> tuple[object, str]:
    """Run the command line in this process; return its exit code and all it said."""
    sys.argv = ["tumorscope", *words]
    output, messages = place / "output", place / "messages"
    with (
        output.open("w", encoding="utf-8") as out,
        messages.open("w", encoding="utf-8", errors="backslashreplace") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        try:
            cli.main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:  # noqa: BLE001 (whatever comes through is what is looked for)
            traceback.print_exc()
            code = "traceback"
    return code, output.read_text("utf-8") + messages.read_text("utf-8")


def given(data: Path, draw: random.Random) -> Path:
    """Return what a user names: mostly the folder, now and then something in it or beside it."""
    inner = [Path(folder, name) for folder, _, names in os.walk(data) for name in names]
    if inner and draw.random() < 0.25:
        return draw.choice(inner)
    return data if draw.random() < 0.97 else data / "nothing"


def command(verb: str, data: str, draw: random.Random, place: Path) -> list[str]:
    """Return the words after the verb."""
    words = [data]
    if verb == "predict":
        return [*words, *draw.choice(([], ["--format", "csv"], ["--out", str(place / "a.csv")]))]
    if draw.random() < 0.5:
        folder, other = draw.choice(FOLDERS), draw.choice(FOLDERS)
        words += draw.choice(
            (
                ["--classes-from", "folders"],
                ["--classes-from", "names"],
                ["--ignore", folder, "--classes-from", "folders"],
                ["--part", f"{folder}=test", "--part", f"{other}=train"],
                ["--no-patient-folders"],
                ["--column", "label=image"],
            )
        )
    if verb == "audit":
        words += ["--out", str(place / "audit"), "--quiet"]
    if verb == "split":
        words += ["--out", str(place / "split.csv"), "--quiet"]
        words += draw.choice(([], ["--keep-test"], ["--folds", "2"], ["--test", "0.4"]))
    if verb == "train":
        words += ["--recipe", "cnn-baseline", "epochs=1", "image_size=32", "--device", "cpu"]
        words += ["--out", str(place / "run"), "--quiet"]
        words += draw.choice(([], [], ["--keep-test"], ["--published-split"], ["--folds", "2"]))
    return words


def begin(root: Path, draw: random.Random) -> None:
    """Lay out two classes, in parts or not, as most sets have them, for the rest to spoil."""
    labels = draw.sample(CLASSES, k=2)
    for part in draw.choice(([""], [""], ["train", "test"], ["Training Set", "val", "test"])):
        for label in labels:
            folder = root / part / label
            folder.mkdir(parents=True, exist_ok=True)
            for n in range(draw.choice((4, 8, 15))):
                (folder / f"{n}.png").write_bytes(picture(draw, "PNG"))


def add(root: Path, folders: list[str], draw: random.Random) -> None:
    """Add one file, link or other thing, some folders down."""
    folder = root.joinpath(*draw.choices(folders, k=draw.choice((0, 1, 1, 1, 2, 2, 3))))
    folder.mkdir(parents=True, exist_ok=True)
    if draw.random() < 0.5:  # what most files of a data set are
        (folder / f"{draw.randrange(40)}.png").write_bytes(picture(draw, "PNG"))
        return
    name = draw.choice(STEMS) + draw.choice(ENDS if draw.random() < 0.7 else MORE_ENDS)
    path = folder / name
    if draw.random() < 0.03:
        path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe" + os.fsencode(name)))
    draw.choices((write, link, special), (20, 2, 1))[0](path, root, draw)


def link(path: Path, root: Path, draw: random.Random) -> None:
    """Link to somewhere: within, above, nowhere, itself."""
    inner = [
        Path(folder, name) for folder, some, names in os.walk(root) for name in (*some, *names)
    ]
    path.symlink_to(draw.choice([root, root.parent, Path("/nowhere"), path, Path(".."), *inner]))


def special(path: Path, root: Path, draw: random.Random) -> None:
    """Make what is no regular file, or a folder with the name of one."""
    del root
    if draw.random() < 0.5:
        os.mkfifo(path)
    else:
        path.mkdir()


def write(path: Path, root: Path, draw: random.Random) -> None:
    """Write a file: what its name promises, or something else."""
    kinds: dict[str, Callable[[Path, random.Random], bytes]] = {
        ".csv": written_table, ".tsv": written_table, ".json": coco, ".xml": voc,
        ".yaml": names_file, ".txt": boxes, ".zip": zipped, ".tar.gz": tarred,
        ".npz": arrays, "": noise,
    }  # fmt: skip
    ending = next((end for end in kinds if end and path.name.endswith(end)), "")
    make = kinds[ending] if draw.random() < 0.8 else draw.choice(list(kinds.values()))
    if path.suffix.lower() in PICTURES and draw.random() < 0.8:
        path.write_bytes(picture(draw, draw.choice(("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"))))
        return
    content = make(root, draw)
    if draw.random() < 0.15:
        content = content[: draw.randrange(len(content) + 1)]
    path.write_bytes(content)


def picture(draw: random.Random, kind: str) -> bytes:
    """Return an image file, at times a broken one."""
    size = draw.choice(((24, 20), (24, 20), (32, 32), (1, 1), (3, 200)))
    levels = draw.choice((256, 256, 256, 2, 1))
    pixels = np.random.default_rng(draw.randrange(2**32)).integers(0, levels, size, np.uint8)
    image = Image.fromarray(pixels).convert(draw.choice(("L", "L", "L", "RGB", "1", "P")))
    room = io.BytesIO()
    image.save(room, kind)
    content = room.getvalue()
    return content if draw.random() < 0.95 else content[: draw.randrange(len(content))]


def written_table(root: Path, draw: random.Random) -> bytes:
    """Return a table of the images there are, and of some that are not."""
    files = [Path(f, n).relative_to(root) for f, _, names in os.walk(root) for n in names][:40]
    images = [os.fsencode(path).decode("utf-8", "replace") for path in files] + ["lost.png"]
    header = draw.choices(
        ("image", "label", "class", "split", "patient_id", "filename", "x", ""), k=4
    )
    header[:2] = draw.choice((["image", "label"], ["filename", "class"], header[:2]))
    values = ("a", "b", "a", "b", "nan", "", "train", "test", "1", "1.0", "p1", '"', "0.5")
    rows = [[draw.choice([name, Path(name).name]), *draw.choices(values, k=3)] for name in images]
    mark = draw.choice((",", ",", ";", "\t"))
    text = "\n".join(mark.join(row) for row in [header, *rows])
    return text.encode(draw.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252")), "replace")


def coco(root: Path, draw: random.Random) -> bytes:
    """Return annotations in COCO's form, parts of it missing."""
    del root
    whole: dict[str, object] = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 24, "height": 20} for n in range(9)],
        "annotations": [
            {
                "image_id": n,
                "category_id": draw.choice((1, 2, None)),
                "bbox": [1, 2, 3, draw.choice((4, "x"))],
            }
            for n in range(9)
        ],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": draw.choice(("b", 7, None))}],
    }
    kept = {key: value for key, value in whole.items() if draw.random() < 0.9}
    return json.dumps(draw.choice((kept, kept, kept, [kept], 3))).encode()


def voc(root: Path, draw: random.Random) -> bytes:
    """Return an annotation in Pascal VOC's form."""
    del root
    name, left = draw.choice(("a", "b", "", "&lol;", "\n")), draw.choice((6, -1, "x", 1e9))
    return (
        "<annotation><size><width>24</width><height>20</height></size>"
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>5</ymin>"
        "<xmax>18</xmax><ymax>15</ymax></bndbox></object></annotation>"
    ).encode()


def names_file(root: Path, draw: random.Random) -> bytes:
    """Return a YOLO set's `data.yaml`."""
    del root
    texts = (
        "names: [a, b]\n",
        "names: {0: a, 1: b}\nnc: 2\n",
        "names: 3\n",
        "a: &x [*x]\n",
        "- 1\n: {",
    )
    return draw.choice(texts).encode()


def boxes(root: Path, draw: random.Random) -> bytes:
    """Return the lines of a YOLO label file."""
    del root
    lines = ("0 0.5 0.5 0.2 0.2", "1 .5 .5 .2 .2 .9", "7 .5 .5 .2 .2", "0 nan 0 0 1e400", "x", "")
    return "\n".join(draw.choices(lines, k=draw.randrange(4))).encode()


def zipped(root: Path, draw: random.Random) -> bytes:
    """Return a zip of some class folders, and at times of names that lead elsewhere."""
    del root
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in range(draw.randrange(12)):
            top = (
                draw.choice(("a", "b", "../c", "/d", "a/../b"))
                if draw.random() < 0.1
                else "ab"[n % 2]
            )
            archive.writestr(f"{top}/{n}.png", picture(draw, "PNG"))
    return room.getvalue()


def tarred(root: Path, draw: random.Random) -> bytes:
    """Return a tar of some class folders, and at times of links."""
    del root
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w:gz") as archive:
        for n in range(draw.randrange(12)):
            content = picture(draw, "PNG")
            member = tarfile.TarInfo(f"{'ab'[n % 2]}/{n}.png")
            member.size = len(content)
            if draw.random() < 0.05:
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
            archive.addfile(member, io.BytesIO(content))
    return room.getvalue()


def arrays(root: Path, draw: random.Random) -> bytes:
    """Return arrays in MedMNIST's form, at times of other shapes."""
    del root
    room = io.BytesIO()
    count = draw.choice((0, 6, 30))
    parts = {
        f"{part}_{kind}": np.zeros((count, *draw.choice(((28, 28), (28, 28), (3,)))), np.uint8)
        if kind == "images"
        else np.arange(count).reshape(-1, 1) % 2
        for part in ("train", "val", "test")
        for kind in ("images", "labels")
        if draw.random() < 0.95
    }
    np.savez(room, **parts)  # type: ignore[arg-type]  # its stub takes the names for options
    return room.getvalue()


def noise(root: Path, draw: random.Random) -> bytes:
    """Return bytes that mean nothing."""
    del root
    return draw.randbytes(draw.choice((0, 1, 300)))


def close(root: Path, draw: random.Random) -> None:
    """Take the right to read from a file or folder, now and then."""
    places = [Path(f, n) for f, some, names in os.walk(root) for n in (*some, *names)]
    for path in reversed(places):  # what lies inside before what holds it
        if draw.random() < 0.02 and not path.is_symlink():
            path.chmod(draw.choice((0, 0o200, 0o444)))


def reopen(root: Path) -> None:
    """Give all rights back, so that the tree can be taken away."""
    for folder, some, _ in os.walk(root):
        for name in some:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755)
    shutil.rmtree(root)


def snapshot(root: Path) -> list[tuple[object, ...]]:
    """Return what can be told of every file without a trace: its name, kind, size and time."""
    found = []
    for folder, some, names in os.walk(root):
        for name in sorted((*some, *names)):
            with contextlib.suppress(PermissionError):
                state = Path(folder, name).lstat()
                found.append((folder, name, state.st_mode, state.st_size, state.st_mtime_ns))
    return sorted(found)


if __name__ == "__main__":
    main()
