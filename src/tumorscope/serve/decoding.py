"""Uploads to slices, in processes of their own that may die without harm.

What a client sends is hostile until it is read: it is written under numbers, never under names of
the client, and read by a process with a limit on its memory and its time. That holds back what is
damaged or too large; it is no sandbox against a fault in a decoder that runs foreign code.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO

import numpy as np

from tumorscope.serve.expendable import ExpendableProcess
from tumorscope.serve.limits import Limits, RefusedUpload
from tumorscope.serve.uploads import (
    Decoded,
    collect,
    decode_image_alone,
    decode_upload,
    shown_upload,
    to_file_name,
)
from tumorscope.watching.record import picture_facts

DIRECT = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"BM",
)  # images that are read from memory; PNG the longest
PROCESSES = 2
SMALL = 16 << 20  # bytes that need no file between two processes


class Decoder:
    """Reads uploads in other processes, one at a time in each, so that none waits for another."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._processes = [
            ExpendableProcess(limits.memory, limits.seconds) for _ in range(PROCESSES)
        ]
        self._idle: Queue[ExpendableProcess] = Queue()
        for process in self._processes:
            self._idle.put(process)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()

    def start(self) -> None:
        """Start the processes, so that the first uploads do not wait for them."""
        for process in self._processes:
            process.start()

    def __call__(self, uploads: Sequence[tuple[str, BinaryIO]]) -> list[Decoded]:
        """Read an upload.

        Args:
            uploads: names, as the client gives them, and contents.

        Returns:
            Its cases, at least one, those that cannot be answered last.

        Raises:
            RefusedUpload: nothing in it can be read, or it takes more than it may.
        """
        if len(uploads) == 1:
            name, content = uploads[0]
            start = content.read(len(DIRECT[0]))
            content.seek(0)
            if start.startswith(DIRECT) and _size(content) <= SMALL:
                return [self.image(shown_upload(name), content.read())]
        with tempfile.TemporaryDirectory(prefix="tumorscope-") as name:
            folder = Path(name)
            (folder / "in").mkdir()
            for number, (given, content) in enumerate(uploads):
                with (folder / "in" / to_file_name(number, given)).open("wb") as file:
                    shutil.copyfileobj(content, file)
            names = [given for given, _ in uploads]
            refused = self._done(decode_upload, folder, names, self._limits)
            if refused:
                raise RefusedUpload(refused)
            return list(collect(folder / "out"))

    def image(self, name: str, content: bytes) -> Decoded:
        """Read one image, for which nothing need be written to a disk.

        Raises:
            RefusedUpload: it cannot be read, or takes more than it may.
        """
        found = self._done(decode_image_alone, content)
        if isinstance(found, str):
            raise RefusedUpload(f"{name}: {found}.")
        kind, shape, levels = found
        pixels: Any = np.frombuffer(levels, kind).reshape(1, *shape)
        return Decoded(name, "image", pixels, facts=picture_facts(pixels))

    def _done(self, function: Any, *arguments: object) -> Any:
        """Return what a function gives in one of the processes, as soon as one is idle."""
        process = self._idle.get()
        try:
            return process.run(function, *arguments)
        finally:
            self._idle.put(process)


def _size(content: BinaryIO) -> int:
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    return size
