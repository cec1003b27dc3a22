"""What the server takes at most, so that no upload can harm it, and how it refuses the rest."""

import errno
from dataclasses import dataclass

from tumorscope.errors import TumorscopeError

MEGABYTE = 1 << 20
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)  # what a full disk is called


class Busy(TumorscopeError):
    """An upload that must wait until others are answered."""


class RefusedUpload(TumorscopeError):
    """An upload that cannot be answered; the message says why."""


@dataclass(frozen=True)
class Limits:
    """What one request, and one client, may ask for.

    Attributes:
        upload: bytes of all files of a request.
        files: how many of them there are, those in a zip included.
        unpacked: bytes that a zip may become.
        slices: of one series.
        memory: bytes of address space for the process that reads uploads, above what it starts
            with.
        seconds: that reading an upload may take.
        requests: that one client may make in a minute.
        kept: bytes of decoded slices that are held in memory once they are answered.
        waiting: bytes of decoded slices that are being answered; more are turned away.
    """

    upload: int = 512 * MEGABYTE
    files: int = 4000
    unpacked: int = 1024 * MEGABYTE
    slices: int = 2000
    memory: int = 3072 * MEGABYTE
    seconds: float = 120.0
    requests: int = 6000
    kept: int = 256 * MEGABYTE
    waiting: int = 1024 * MEGABYTE
