"""Uploads that are kept, so that their cases can be shown and answered again."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tumorscope.errors import TumorscopeError, UsageError
from tumorscope.serve.content import ContentFolder
from tumorscope.serve.decoding import Decoder
from tumorscope.serve.uploads import Decoded
from tumorscope.watching.cases import NOTHING, Case

Uploads = Sequence[tuple[str, BinaryIO]]


class Gone(TumorscopeError):
    """Images of a case that were not kept."""


class KeptUploads:
    """The folder of uploads, if there is one, and what reads them again.

    Attributes:
        keeps: whether uploads are kept at all.
    """

    def __init__(self, folder: Path | None, decoder: Decoder) -> None:
        self._store = ContentFolder(folder) if folder else None
        self._decoder = decoder
        self.keeps = folder is not None

    def keep(self, uploads: Uploads) -> list[tuple[str, str]]:
        """Keep an upload; return names and content addresses, none where nothing is kept.

        Raises:
            UsageError: it cannot be kept, which is the server's fault, not the upload's.
        """
        if self._store is None:
            return []
        try:
            return [(name, self._store.put(content)) for name, content in uploads]
        except TumorscopeError as error:
            raise UsageError(str(error)) from error

    def decode(self, case: Case) -> Decoded:
        """Read a case again.

        Raises:
            Gone: it was not kept, or reads otherwise now.
            RefusedUpload: it cannot be read.
        """
        if self._store is None or not case.files:
            raise Gone("The images of this case were not kept.")
        opened: list[tuple[str, BinaryIO]] = []
        try:
            for name, address in case.files["uploads"]:
                content = self._store.open(address)
                if content is None:
                    raise Gone("The images of this case are no longer in the store.")
                opened.append((name, content))
            decoded = self._decoder(opened)
        finally:
            for _, content in opened:
                content.close()
        part = int(case.files["part"])
        if part >= len(decoded) or content_of(decoded[part]) != case.content:
            raise Gone("The images of this case no longer read as they did when they came.")
        return decoded[part]


def content_of(decoded: Decoded) -> str:
    """Return the SHA-256 of the slices of a case."""
    if not len(decoded.pixels):
        return NOTHING
    found = hashlib.sha256(str((decoded.pixels.shape, str(decoded.pixels.dtype))).encode())
    found.update(np.ascontiguousarray(decoded.pixels).tobytes())
    return found.hexdigest()
