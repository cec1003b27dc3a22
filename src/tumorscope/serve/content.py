"""Files under the digest of what they hold, written whole or not at all."""

import hashlib
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tumorscope.support.files import explained, replacing

ADDRESS = re.compile(r"[0-9a-f]{64}")
LEFT = 3600.0  # seconds after which nobody is writing a file any more


class ContentFolder:
    """A folder of files, each named by its SHA-256."""

    def __init__(self, folder: Path) -> None:
        """Open a folder, and remove what killed servers have left half-written there.

        Raises:
            UsageError: nothing can be written there.
        """
        self._folder = folder
        with explained(folder, "with --store"):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        for left in folder.glob(f"[0-9a-f][0-9a-f]/.{'[0-9a-f]' * 64}.*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > LEFT:  # another may be writing now
                    left.unlink()

    def put(self, content: BinaryIO) -> str:
        """Keep a file and return its address; one that is there is kept once."""
        digest = _digest(content)
        path = self._path(digest)
        if not path.exists():
            content.seek(0)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary, temporary.open("wb") as file:
                while some := content.read(1 << 20):
                    file.write(some)
                file.flush()
                os.fsync(file.fileno())  # before the log says that it is there
        content.seek(0)
        return digest

    def open(self, address: str) -> BinaryIO | None:
        """Open a file; None where it is not kept."""
        path = self._path(address)
        return path.open("rb") if path.is_file() else None

    def _path(self, address: str) -> Path:
        if not ADDRESS.fullmatch(address):
            raise ValueError(address)
        return self._folder / address[:2] / address


def _digest(content: BinaryIO) -> str:
    found = hashlib.sha256()
    content.seek(0)
    while some := content.read(1 << 20):
        found.update(some)
    return found.hexdigest()
