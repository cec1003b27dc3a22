"""Writing files so that a killed run leaves the old file or the new one, never half of one."""

import csv
import errno
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tumorscope.errors import DiskFull, UsageError

CACHE = "in the environment variable TUMORSCOPE_CACHE"  # where another cache is named
UMASK = os.umask(0)  # read once, since reading it changes it for all threads
os.umask(UMASK)
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def explained(path: Path, remedy: str = "with --out") -> Iterator[None]:
    """Turn an operating-system error while writing `path` into a sentence.

    Args:
        path: what is written.
        remedy: how to choose another place.

    Raises:
        DiskFull: no space is left.
        UsageError: the place cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFull(
                f"No space is left to write {path}: free some, or choose another place {remedy}."
            ) from error
        raise UsageError(
            f"{path} cannot be written ({error.strerror}): choose another place {remedy}."
        ) from error


def shown_name(name: str) -> str:
    """Return a name that can be printed: what is not UTF-8 as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def drop_output() -> None:
    """Let what is still to be written to standard output go nowhere, as Python tries at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before the work whose result it takes.

    Raises:
        UsageError: it cannot.
    """
    above = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UsageError(f"{folder} cannot be written: choose another place with --out.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path` and move it into place when the block succeeds."""
    with explained(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~UMASK)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically; of names that are none, escapes."""
    write_bytes(path, content.encode(errors="backslashreplace"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically; NaN is refused, None says "not known"."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file atomically."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file that this package wrote, one dictionary a row."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def refuse_inside(path: Path, data: Path) -> None:
    """Refuse to write into the user's data folder.

    Raises:
        UsageError: the path lies inside it.
    """
    if data.is_dir() and path.resolve().is_relative_to(data.resolve()):
        raise UsageError(
            f"{path} lies inside the data, where nothing is ever written: choose another --out."
        )
