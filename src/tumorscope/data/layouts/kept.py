"""What a data set must be turned into before it can be read, made once and kept in the cache."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tumorscope.data.store import cache_folder
from tumorscope.support.files import CACHE, explained


def made_once(key: object, make: Callable[[Path], None]) -> Path:
    """Return the folder that belongs to a key, after making it where that was not done before.

    Args:
        key: what decides the content, as anything whose `repr` tells it apart.
        make: fills an empty folder; where it raises, nothing is kept.

    Raises:
        DiskFull, UsageError: the cache cannot be written.
    """
    digest = hashlib.sha256(repr(key).encode()).hexdigest()
    folder = cache_folder() / "unpacked" / digest[:32]
    if folder.is_dir():
        return folder
    with explained(folder, CACHE):
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        make(new)
        new.replace(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def state_of(root: Path, files: Iterable[str]) -> list[tuple[str, int, int, int]]:
    """Return what tells that files are still the same: path, size, time and inode."""
    found = [(name, (root / name).stat()) for name in files]
    return [(name, own.st_size, own.st_mtime_ns, own.st_ino) for name, own in found]
