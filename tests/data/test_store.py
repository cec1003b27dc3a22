"""Pixels once: right, reused, rebuilt when the data changes, and shared without harm."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.data.layouts import read_manifest
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.data.store import _key, cache_folder, open_store
from tumorscope.errors import DataError, DiskFull
from tumorscope.support.progress import Quiet, Task

Maker = Callable[..., Path]


class Counting(Quiet):
    """A progress that counts what is decoded."""

    def __init__(self) -> None:
        self.decoded = 0

    def advance(self, amount: int) -> None:
        self.decoded += amount

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator[Task]:
        yield self


def test_pixels_are_what_the_resize_gives(real_data: Path) -> None:
    """A row of the store is the file, read and resized."""
    store = open_store(read_manifest(real_data / "yesno"), 48)
    rows = [0, 100, 252, 7]
    found = store.pixels(rows)
    for row, pixels in zip(rows, found, strict=True):
        path = store.manifest.root / store.manifest.rows[row].image
        np.testing.assert_array_equal(pixels, resize(read_image(path).pixels, 48))


def test_nothing_is_decoded_twice(class_folders: Maker) -> None:
    """A second opening reads no file, unless one changed."""
    folder = class_folders(a=3, b=3)
    counting = Counting()
    before = open_store(read_manifest(folder), 16, progress=counting)
    again = open_store(read_manifest(folder), 16, progress=counting)
    assert counting.decoded == 6
    assert again.digest == before.digest
    Image.new("L", (9, 9), 77).save(folder / "a" / "0.png")
    changed = open_store(read_manifest(folder), 16, progress=counting)
    assert counting.decoded == 12
    assert changed.digest != before.digest
    assert (changed.pixels([0]) == 77).all()


def test_bad_files_are_left_out_and_named(class_folders: Maker) -> None:
    """The rows that remain are the readable ones, in order, with their own pixels."""
    folder = class_folders(a=3, b=2)
    (folder / "a" / "1.png").write_bytes(b"")
    (folder / "b" / "notes.png").write_text("these are notes")
    store = open_store(read_manifest(folder), 16)
    assert [row.image for row in store.manifest.rows] == [
        "a/0.png",
        "a/2.png",
        "b/0.png",
        "b/1.png",
    ]
    reasons = {file.image: file.reason for file in store.manifest.left_out}
    assert reasons["a/1.png"] == "empty file"
    assert "not an image" in reasons["b/notes.png"]
    expected = resize(read_image(folder / "a" / "2.png").pixels, 16)
    np.testing.assert_array_equal(store.pixels([1])[0], expected)
    with pytest.raises(DataError, match=r"a/1\.png: empty file"):
        open_store(read_manifest(folder), 16, strict=True)


def test_a_killed_build_is_not_taken_for_a_store(class_folders: Maker) -> None:
    """What a crash leaves under a temporary name does no harm."""
    manifest = read_manifest(class_folders(a=3, b=3))
    stale = cache_folder() / "stores" / ".building-stale"
    stale.mkdir(parents=True, exist_ok=True)
    (stale / "pixels.npy").write_bytes(b"half")
    assert len(open_store(manifest, 16)) == 6


@pytest.mark.parametrize("name", ["pixels.npy", "middles.npy", "images.json"])
@pytest.mark.parametrize("left", [0, 40, -100])
def test_a_damaged_store_is_built_anew(class_folders: Maker, name: str, left: int) -> None:
    """A file that a crash of the machine cut short is noticed, whichever it is."""
    manifest = read_manifest(class_folders(a=3, b=3))
    before = open_store(manifest, 16)
    (path,) = (cache_folder() / "stores").glob(f"{_key(manifest, 16)}/{name}")
    content = path.read_bytes()[:left]
    path.unlink()  # `before` has it mapped
    path.write_bytes(content)
    counting = Counting()
    again = open_store(manifest, 16, progress=counting)
    assert counting.decoded == 6
    assert again.digest == before.digest
    assert np.array_equal(again.thumbnails, before.thumbnails)


@pytest.mark.parametrize("damaged", [False, True])
def test_two_processes_build_the_same_store(class_folders: Maker, damaged: bool) -> None:
    """Whoever comes second uses or discards; both see the same pixels."""
    folder = class_folders(a=30, b=30)
    if damaged:
        manifest = read_manifest(folder)
        open_store(manifest, 24)
        (path,) = (cache_folder() / "stores").glob(f"{_key(manifest, 24)}/images.json")
        path.write_text("{")
    code = (
        "import sys; from tumorscope.data.layouts import read_manifest;"
        "from tumorscope.data.store import open_store;"
        "s = open_store(read_manifest(sys.argv[1]), 24);"
        "print(s.digest, int(s.pixels(range(60)).sum()))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    answers = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(answers) == 1


def test_a_full_disk_is_a_sentence(class_folders: Maker) -> None:
    """The cache is decoded into files; a limit on their size stops it in words."""
    folder = class_folders(a=30, b=30)
    code = (
        "import resource, signal, sys; from tumorscope.data.layouts import read_manifest;"
        "from tumorscope.data.store import open_store;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "m = read_manifest(sys.argv[1]);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "open_store(m, 64)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=False
    )
    assert DiskFull.__name__ in run.stderr
    assert "No space is left" in run.stderr
    assert not any(p.name.startswith(".building-x") for p in cache_folder().iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX time stamps")
def test_a_changed_label_or_box_changes_the_digest_but_decodes_nothing(tmp_path: Path) -> None:
    """Labels and boxes are part of what a run was made from, pixels are not made anew."""
    for name in ("1.png", "2.png"):
        Image.new("L", (9, 9), 50).save(tmp_path / name)
    table = tmp_path / "t.csv"
    counting = Counting()
    digests = []
    for second in ("b", "c"):
        table.write_text(f"image,label\n1.png,a\n2.png,{second}\n")
        digests.append(open_store(read_manifest(table), 16, progress=counting).digest)
    columns = "x_center,y_center,width,height"
    for place in ("0.5", "0.6"):
        table.write_text(f"image,label,{columns}\n1.png,a,{place},0.5,0.1,0.1\n2.png,c,,,,\n")
        digests.append(open_store(read_manifest(table), 16, progress=counting).digest)
    assert counting.decoded == 2
    assert len(set(digests)) == 4


def test_a_file_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    """One that was written over or put in its place, and given the old time, is decoded anew."""
    image = tmp_path / "data" / "a" / "0.bmp"
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        Image.new("L", (20, 20), 10).save(tmp_path / "data" / label / "0.bmp")
    levels, before = [], image.stat()
    for level, name in ((10, image), (90, image), (170, image.with_suffix(".new"))):
        Image.new("L", (20, 20), level).save(name, "BMP")
        os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))
        name.replace(image)
        assert image.stat().st_size == before.st_size
        store = open_store(read_manifest(tmp_path / "data"), 32)
        levels.append(int(store.pixels([0])[0, 0, 0]))
    assert levels == [10, 90, 170]
