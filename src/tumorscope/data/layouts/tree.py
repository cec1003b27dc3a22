"""Every file below a data folder, found in one walk, so that none can be lost track of."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from tumorscope.data.read.dicom import is_dicom
from tumorscope.records import LeftOut
from tumorscope.support.files import shown_name

STRAY_NAMES = {"thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", "icon\r", "@eadir"}
STRAY_NAMES |= {"__pycache__"}
IMAGE_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"),
    *(".heic", ".heif", ".avif", ".jp2"),  # tried, and named where they cannot be read
}
OTHER_SUFFIXES = {
    *(".txt", ".csv", ".tsv", ".xlsx", ".xls", ".json", ".xml", ".yaml", ".yml", ".md", ".html"),
    *(".py", ".ipynb", ".pdf", ".doc", ".docx", ".zip", ".gz", ".tar", ".mat", ".npy", ".npz"),
    *(".dcm", ".nii", ".h5", ".svg", ".log", ".db", ".ini"),
}
SCAN_ENDINGS = (".dcm", ".dicom", ".ima", ".nii", ".nii.gz", ".mgz", ".mgh")
# By length, so that `.nii.gz` is found before `.gz`.
KNOWN_ENDINGS = sorted(IMAGE_SUFFIXES | OTHER_SUFFIXES | {*SCAN_ENDINGS}, key=len)[::-1]
BEGINNING = 160  # bytes of a file that tell what it is
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")


@dataclass(frozen=True)
class Tree:
    """What lies below a folder.

    Attributes:
        root: the folder.
        files: paths of regular files relative to it, with forward slashes, by name.
        strays: files that an operating system or an editor has left, those in its folders included.
        left_out: what cannot be looked at, and why.
        empty: folders in which there is nothing.
    """

    root: Path
    files: tuple[str, ...]
    strays: int = 0
    left_out: tuple[LeftOut, ...] = ()
    empty: tuple[str, ...] = ()

    @cached_property
    def images(self) -> list[str]:
        """The files that are named like images, and those without a telling name that are some."""
        return [path for path in self.files if self._is_image(path)]

    def _is_image(self, path: str) -> bool:
        suffix = PurePosixPath(path).suffix.lower()
        return suffix in IMAGE_SUFFIXES or (
            suffix not in OTHER_SUFFIXES and begins_like_image(self.root / path)
        )

    @cached_property
    def scans(self) -> list[str]:
        """The files of a scanner: DICOM objects, by name or by content, and NIfTI volumes."""
        return [path for path in self.files if self._is_scan(path)]

    def _is_scan(self, path: str) -> bool:
        suffix = PurePosixPath(path).suffix.lower()
        if path.lower().endswith(SCAN_ENDINGS):
            return True
        known = suffix in IMAGE_SUFFIXES or suffix in OTHER_SUFFIXES
        return not known and is_dicom(_beginning(self.root / path))

    def inside(self, folder: str) -> list[str]:
        """Return the files in a folder and below it."""
        return [path for path in self.files if path.startswith(f"{folder}/")]


@dataclass
class _Walk:
    """A walk under way; links to folders are followed once, and never in a circle."""

    root: Path
    files: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    strays: int = 0
    seen: set[str] = field(default_factory=set)

    def visit(self, folder: Path) -> None:
        """Look at everything in a folder."""
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self._leave_out(folder, f"the folder cannot be read ({error.strerror})", files=0)
            return
        if not entries and folder != self.root:
            self.empty.append(folder.relative_to(self.root).as_posix())
        for entry in entries:
            self._look(entry)

    def _look(self, entry: "os.DirEntry[str]") -> None:
        path = Path(entry.path)
        if is_stray(entry.name):
            self.strays += _count(path)
        elif not _printable(entry.name):
            self._leave_out(path, "its name is not UTF-8 text: rename it", files=_count(path))
        elif entry.is_dir():
            self._enter(entry)
        elif entry.is_file():
            self.files.append(path.relative_to(self.root).as_posix())
        else:
            lost = entry.is_symlink() and not path.exists()
            self._leave_out(path, "a link to nothing" if lost else "no regular file")

    def _enter(self, entry: "os.DirEntry[str]") -> None:
        path = Path(entry.path)
        if not entry.is_symlink():
            self.visit(path)
            return
        target = os.path.realpath(path)
        if Path(target) in (self.root, *self.root.parents) or target in self.seen:
            self._leave_out(path, "a link to a folder that is read already", files=0)
        elif Path(target).is_relative_to(self.root):
            self._leave_out(path, "a link to another folder of the set", files=0)
        else:
            self.seen.add(target)
            self.visit(path)

    def _leave_out(self, path: Path, reason: str, files: int = 1) -> None:
        shown = path.relative_to(self.root).as_posix()
        self.left_out.append(LeftOut(shown_name(shown), reason, files))


def walk(root: Path) -> Tree:
    """Look at everything below a folder, without opening a file."""
    found = _Walk(Path(os.path.realpath(root)))
    found.visit(found.root)
    left_out, empty = tuple(found.left_out), tuple(found.empty)
    return Tree(root, tuple(found.files), found.strays, left_out, empty)


def is_stray(name: str) -> bool:
    """Say whether a file or folder is left behind by an operating system or an editor."""
    return name.startswith(".") or name.casefold() in STRAY_NAMES


def begins_like_image(path: Path) -> bool:
    """Say whether a file begins as an image does, whatever it is called."""
    return _beginning(path).startswith(BEGINNINGS)


def _beginning(path: Path) -> bytes:
    """Return a file's first bytes, none where it cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(BEGINNING)
    except OSError:
        return b""


def kinds(paths: Iterable[str]) -> dict[str, int]:
    """Count files by what they are: their suffix, in small letters."""
    counts: dict[str, int] = {}
    for path in paths:
        kind = PurePosixPath(path).suffix.lower() or "no suffix"
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def describe(tree: Tree, most: int = 12) -> str:
    """Return what lies at the top of a tree, one line an entry, for an error message."""
    inside: dict[str, list[str]] = {}
    for path in tree.files:
        first, slash, _ = path.partition("/")
        inside.setdefault(f"{first}/" if slash else "", []).append(path)
    lines = []
    for folder, paths in inside.items():
        counts = ", ".join(f"{n} {kind}" for kind, n in list(kinds(paths).items())[:3])
        lines.append(f"  {folder}  ({counts})" if folder else f"  {counts} files")
    if len(lines) > most:
        lines = [*lines[:most], f"  … and {len(lines) - most} more"]
    return "\n".join(lines) or "  nothing"


def _printable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _count(path: Path) -> int:
    """Count the files of a folder; a file is one."""
    if path.is_symlink() or not path.is_dir():
        return 1
    return sum(len(names) for _, _, names in os.walk(path))


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder as it is found, strays left out, in a fixed order."""
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_stray(name))
        yield from (Path(directory) / name for name in sorted(names) if not is_stray(name))
