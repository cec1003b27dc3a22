"""Listing folders: what is a stray system file, and what a person would see."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

STRAY_NAMES = {"thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", "icon\r", "@eadir"}
IMAGE_SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".gif",
}


def is_stray(name: str) -> bool:
    """Say whether a file or folder is left behind by an operating system or an editor."""
    return name.startswith(".") or name.casefold() in STRAY_NAMES


def subfolders(folder: Path) -> list[Path]:
    """Return the folders inside, without strays, by name."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not is_stray(p.name))


def visible_files(folder: Path) -> list[Path]:
    """Return the files inside, without strays, by name."""
    return sorted(p for p in folder.iterdir() if p.is_file() and not is_stray(p.name))


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, strays left out, in a fixed order."""
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_stray(name))
        yield from (Path(directory) / name for name in sorted(names) if not is_stray(name))


def count_strays(folder: Path) -> int:
    """Count the stray files below a folder, those inside stray folders included."""
    strays = 0
    for directory, _, names in os.walk(folder):
        inside = any(is_stray(part) for part in Path(directory).relative_to(folder).parts)
        strays += sum(inside or is_stray(name) for name in names)
    return strays


def holds_images(folder: Path) -> bool:
    """Say whether any file directly inside or below is named like an image."""
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in walk_files(folder))


def describe_folder(folder: Path, most: int = 12) -> str:
    """Return what lies in a folder, one line per entry, for an error message."""
    lines = []
    for inner in subfolders(folder):
        kinds = Counter(path.suffix.lower() or "no suffix" for path in walk_files(inner))
        content = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(3)) or "empty"
        lines.append(f"  {inner.name}/  ({content})")
    kinds = Counter(path.suffix.lower() or "no suffix" for path in visible_files(folder))
    lines += [f"  {n} {kind} files" for kind, n in kinds.most_common(3)]
    if len(lines) > most:
        lines = [*lines[:most], f"  … and {len(lines) - most} more"]
    return "\n".join(lines) or "  nothing"
