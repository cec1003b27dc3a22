"""Decoded pixels once, as a memory-mapped uint8 array in the user's cache folder.

A store is keyed by the place, size, inode and time stamps of every file, the image size and the
version of the preprocessing; it is written under a temporary name and moved into place when
complete, so that whatever lies under its final name can be trusted and runs that share it do not
disturb each other.
"""

import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from threadpoolctl import threadpool_limits

from tumorscope.data.read import decode_image
from tumorscope.data.read.image import read_bytes
from tumorscope.data.resize import resize, resize_squares
from tumorscope.errors import DataError, UnreadableImage
from tumorscope.records import LeftOut, Manifest, Row, Slice, common_reasons
from tumorscope.support.files import CACHE, explained, write_text
from tumorscope.support.progress import Progress, Quiet

VERSION = 4  # of the reading, the preprocessing and of the files below; an older store is not used
PIXELS, MIDDLES, IMAGES = "pixels.npy", "middles.npy", "images.json"
CHUNK = 256  # images that are made small at a time
TRIES = 3  # to build a store that another run, which has found the same damage, may take away
ERRAND = 16  # files that a thread reads before it asks for more
KINDS = ("one channel", "three equal channels", "colour")
COLOURED = 8  # grey levels between channels, beyond what JPEG does to a grey image
MIDDLE = 128  # thumbnails are made from this size, so that stores of all sizes agree on copies
THUMBNAIL = 64  # the side of a thumbnail, in pixels


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a file besides its pixels.

    Attributes:
        sha256: of its bytes.
        pixel_digest: of its decoded grey levels and their shape; equal for equal pixels.
        width, height: before the resize, in pixels.
        bytes: the file's size.
        format, mode, tables, colour: see `tumorscope.records.Slice`.
    """

    sha256: str
    pixel_digest: str
    width: int
    height: int
    bytes: int
    format: str
    mode: str
    tables: str
    colour: int

    @property
    def kind(self) -> str:
        """How the file holds its pixels, one of `KINDS`."""
        if self.colour > COLOURED:
            return KINDS[2]
        return KINDS[0] if self.mode in ("1", "L", "I", "I;16", "F") else KINDS[1]


@dataclass(frozen=True)
class Store:
    """The readable images of a data set at one size.

    Attributes:
        manifest: the data set without the files that cannot be read; those are in its `left_out`.
        facts: one entry a row.
        size: the side of each image, in pixels.
    """

    manifest: Manifest
    facts: tuple[Facts, ...]
    size: int
    _pixels: "NDArray[np.uint8] | StackedArrays"
    _middles: "NDArray[np.uint8] | StackedArrays"
    _places: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self._places)

    def pixels(self, rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return a copy of some rows' pixels, uint8, shape (n, size, size)."""
        return self._pixels[self._places[np.asarray(rows, dtype=np.intp)]]

    def at_128(self, rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return a copy of some rows at 128 px, whatever `size` is; uint8, shape (n, 128, 128)."""
        return self._middles[self._places[np.asarray(rows, dtype=np.intp)]]

    @cached_property
    def thumbnails(self) -> NDArray[np.uint8]:
        """Every image at 64 px, for telling copies; uint8, shape (rows, 64, 64)."""
        small = [resize_squares(self.at_128(rows), THUMBNAIL) for rows in batches(len(self), CHUNK)]
        return np.concatenate([np.empty((0, THUMBNAIL, THUMBNAIL), np.uint8), *small])

    @property
    def digest(self) -> str:
        """A digest of what the data set says: paths, labels, splits, patients, boxes, contents."""
        whole = hashlib.sha256()
        for row, facts in zip(self.manifest.rows, self.facts, strict=True):
            fields = (row.image, row.label, row.split, row.patient_id, row.fold, facts.sha256)
            whole.update(repr(fields + row.boxes).encode())
        return whole.hexdigest()


@dataclass(frozen=True)
class StackedArrays:
    """Two arrays of images of one size, read as if one stood behind the other."""

    first: "NDArray[np.uint8] | StackedArrays"
    second: "NDArray[np.uint8] | StackedArrays"

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, places: NDArray[np.intp]) -> NDArray[np.uint8]:
        border = len(self.first)
        early = places < border
        images = np.concatenate([self.first[places[early]], self.second[places[~early] - border]])
        order = np.concatenate([np.flatnonzero(early), np.flatnonzero(~early)])
        back: NDArray[np.uint8] = images[np.argsort(order)]
        return back


def join_stores(first: Store, second: Store) -> Store:
    """Return two stores of one size as one data set, the second's rows behind the first's."""
    rows = (*first.manifest.rows, *second.manifest.rows)
    return Store(
        manifest=replace(second.manifest, rows=rows),
        facts=first.facts + second.facts,
        size=first.size,
        _pixels=StackedArrays(first._pixels, second._pixels),
        _middles=StackedArrays(first._middles, second._middles),
        _places=np.concatenate([first._places, second._places + len(first._pixels)]),
    )


def pick_rows(store: Store, rows: Sequence[int] | NDArray[np.intp]) -> Store:
    """Return a store of some rows only."""
    listed = tuple(store.manifest.rows[row] for row in rows)
    return replace(
        store,
        manifest=replace(store.manifest, rows=listed),
        facts=tuple(store.facts[row] for row in rows),
        _places=store._places[np.asarray(rows, dtype=np.intp)],
    )


def cache_folder() -> Path:
    """Return where stores are kept: `$TUMORSCOPE_CACHE`, else the system's place for caches."""
    chosen = os.environ.get("TUMORSCOPE_CACHE")
    return Path(chosen) if chosen else user_cache_path("tumorscope")


def open_store(
    manifest: Manifest, size: int, *, progress: Progress | None = None, strict: bool = False
) -> Store:
    """Return the pixels of a data set, decoding its files unless that was done before.

    Args:
        manifest: the data set; files that cannot be decoded move to its `left_out`.
        size: the side of the square to which each image is resized.
        progress: where to report how far decoding is.
        strict: raise for the first file that cannot be decoded.

    Raises:
        DataError: no file can be decoded, or with `strict` one cannot; or the cache folder does not
            keep what is written into it.
        DiskFull: the cache folder has no space left.
    """
    folder, progress = cache_folder() / "stores" / _key(manifest, size), progress or Quiet()
    store = _load(manifest, size, folder)
    for _ in range(TRIES):
        if store is not None:
            break
        with explained(folder, CACHE):
            if folder.exists():
                progress.say(f"The store in {folder} is damaged: it is built again.")
                _discard(folder)
            _build(manifest, size, folder, progress)
        store = _load(manifest, size, folder)
    if store is None:
        raise DataError(f"The store in {folder} keeps being damaged: delete that folder.")
    bad = store.manifest.left_out[len(manifest.left_out) :]
    if strict and bad:
        first = bad[0]
        raise DataError(f"{manifest.root / first.image}: {first.reason} (--strict).")
    if bad and not len(store):
        raise DataError(
            f"None of the {len(bad)} images can be read: {common_reasons(bad)}. Check these files, "
            "or name another folder."
        )
    return store


def _discard(folder: Path) -> None:
    """Move a folder out of the way at once, then delete it; another run may be doing the same."""
    aside = Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent))
    with suppress(FileNotFoundError):
        folder.rename(aside / folder.name)
    shutil.rmtree(aside, ignore_errors=True)


def _key(manifest: Manifest, size: int) -> str:
    key = hashlib.sha256(repr((VERSION, size, str(manifest.root.resolve()))).encode())
    for row in manifest.rows:
        try:
            status = (manifest.root / row.image).stat()
            # The time of change and the inode tell a file that was replaced and given the old time.
            stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        except OSError:
            stamp = (-1, -1, -1, -1)
        key.update(repr((row.image, *stamp)).encode())
    return key.hexdigest()[:32]


def _build(manifest: Manifest, size: int, folder: Path, progress: Progress) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        images = list(_decode_all(manifest, size, temporary, progress))
        write_text(temporary / IMAGES, json.dumps({"images": images}))  # compact: it may be long
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.exists():  # else another run was faster; its store is as good
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _decode_all(
    manifest: Manifest, size: int, folder: Path, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Decode every file into its place in the arrays and yield what was seen, in order."""
    count = len(manifest.rows)
    with (
        ArrayFile(folder / PIXELS, count, size) as pixels,
        ArrayFile(folder / MIDDLES, 0 if size == MIDDLE else count, MIDDLE) as middles,
        threadpool_limits(1, user_api="blas"),  # the files are shared out, not the products
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress.task("reading images", count) as task,
    ):

        def decode(number: int) -> dict[str, Any]:
            """Read one file and write its pixels; return its facts, or why there are none."""
            try:
                content = read_bytes(manifest.root / manifest.rows[number].image)
                decoded = decode_image(content)
            except UnreadableImage as error:
                return {"error": str(error)}
            small = resize(decoded.pixels, size)
            pixels.write(number, small)
            middle = small
            if size != MIDDLE:
                middle = resize(decoded.pixels, MIDDLE)
                middles.write(number, middle)
            return _facts(content, decoded, middle)

        def decode_some(numbers: range) -> list[dict[str, Any]]:
            """Read several files: one errand a file would cost as much as a small file does."""
            return [decode(number) for number in numbers]

        errands = [range(at, min(at + ERRAND, count)) for at in range(0, count, ERRAND)]
        for results in pool.map(decode_some, errands):
            task.advance(len(results))
            yield from results


def _facts(content: bytes, decoded: Slice, middle: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the fields of a `Facts`."""
    height, width = decoded.pixels.shape
    # A sum over all pixels and a digest of the small image: quicker than a digest of all pixels,
    # and as telling, since images that differ and agree in both would have to be made on purpose.
    whole, coarse = zlib.adler32(decoded.pixels.data), hashlib.sha256(middle.data).hexdigest()
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "pixel_digest": f"{width}x{height}-{whole:08x}-{coarse}",
        "width": width,
        "height": height,
        "bytes": len(content),
        "format": decoded.format,
        "mode": decoded.mode,
        "tables": decoded.tables,
        "colour": decoded.colour,
    }


class ArrayFile:
    """A `.npy` file of square uint8 images that threads fill in any order.

    Written by plain writes and not through a memory map, so that a full disk is an error and not a
    signal that ends the process.
    """

    def __init__(self, path: Path, count: int, side: int) -> None:
        with path.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side)}
            np.lib.format.write_array_header_1_0(file, header)
            self._start = file.tell()
            file.truncate(self._start + count * side * side)
        self._size = side * side
        self._descriptor = os.open(path, os.O_WRONLY)

    def __enter__(self) -> "ArrayFile":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def write(self, number: int, image: NDArray[np.uint8]) -> None:
        """Write one image into its place."""
        view = memoryview(image.tobytes())
        offset = self._start + number * self._size
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written


def _load(manifest: Manifest, size: int, folder: Path) -> Store | None:
    """Return the store in a folder, None where there is none or not all of it."""
    try:
        images = json.loads((folder / IMAGES).read_text(encoding="utf-8"))["images"]
        pixels = _open_array(folder / PIXELS, len(manifest.rows), size)
        middles = pixels
        if size != MIDDLE:
            middles = _open_array(folder / MIDDLES, len(manifest.rows), MIDDLE)
    except (OSError, ValueError, KeyError, EOFError):  # whatever a crash of the machine left
        return None
    good = [n for n, image in enumerate(images) if "error" not in image]
    bad = [
        LeftOut(row.image, image["error"])
        for row, image in zip(manifest.rows, images, strict=True)
        if "error" in image
    ]
    rows: list[Row] = [manifest.rows[n] for n in good]
    return Store(
        manifest=replace(manifest, rows=tuple(rows), left_out=(*manifest.left_out, *bad)),
        facts=tuple(Facts(**images[n]) for n in good),
        size=size,
        _pixels=pixels,
        _middles=middles,
        _places=np.array(good, dtype=np.intp),
    )


def _open_array(path: Path, count: int, side: int) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    if images.dtype != np.uint8 or images.shape != (count, side, side):
        raise ValueError(f"{path} has another shape")
    return images


def batches(count: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Yield the numbers 0 … count - 1 in order, at most `size` at a time."""
    numbers = iter(range(count))
    while chunk := list(islice(numbers, size)):
        yield np.array(chunk, dtype=np.intp)
