"""Images that came in and how far their answers are, in a folder that outlives a kill.

    inbox/images/<series>/<image>.dcm       as they came
    inbox/answers/<series>-<state>/*.dcm    reports and pictures, written whole or not at all
    inbox/answers/<series>-<state>/*.sending, *.sent, done.json

The state is a digest of which images there are: when more come, the series is answered anew.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tumorscope.errors import UsageError
from tumorscope.support.files import explained, write_bytes, write_text

PLACE = "with --inbox"


@dataclass(frozen=True)
class Arrived:
    """A series of which no image has come for a while.

    Attributes:
        name: a pseudonym.
        images: the folder of its images.
        answers: the folder of its answers, once there are any.
    """

    name: str
    images: Path
    answers: Path

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be done about it."""
        return (self.answers / "done.json").is_file()


class Inbox:
    """A folder that takes images, and keeps what was done about them.

    Attributes:
        folder: where it lies.

    Raises:
        UsageError: it cannot be written to, or another process uses it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with explained(folder, PLACE):
            if not folder.exists():
                folder.mkdir(parents=True, mode=0o700)  # what lies there names patients
            (folder / "images").mkdir(exist_ok=True)
            (folder / "answers").mkdir(exist_ok=True)
        self._lock = _locked(folder / "lock")

    def close(self) -> None:
        """Let another process use it."""
        self._lock.close()

    def keep(self, series: str, image: str, content: bytes) -> None:
        """Keep an image; the same one again takes its place.

        Args:
            series: its pseudonym.
            image: the pseudonym of the image.
            content: the file.

        Raises:
            DiskFull, UsageError: it cannot be written.
        """
        folder = self.folder / "images" / series
        with explained(folder, PLACE):
            folder.mkdir(exist_ok=True)
        path = folder / f"{image}.dcm"
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)

    def arrived(self, quiet_for: float) -> list[Arrived]:
        """Return what is not done, and of which no image has come for so many seconds."""
        found = []
        for images in sorted((self.folder / "images").iterdir()):
            files = sorted(path for path in images.glob("*.dcm") if not path.name.startswith("."))
            if not files or time.time() - max(p.stat().st_mtime for p in files) < quiet_for:
                continue
            state = hashlib.sha256("/".join(path.name for path in files).encode()).hexdigest()[:12]
            answers = self.folder / "answers" / f"{images.name}-{state}"
            own = Arrived(images.name, images, answers)
            if not own.is_done:
                found.append(own)
        return found

    def answer(self, series: Arrived, write: Callable[[Path], None]) -> None:
        """Have answers written into a folder that appears only when it is complete."""
        if series.answers.is_dir():
            return
        with explained(series.answers, PLACE):
            new = Path(tempfile.mkdtemp(prefix=".", dir=series.answers.parent))
        try:
            write(new)
            new.replace(series.answers)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def conclude(self, series: Arrived, said: Mapping[str, Any], *, delete: bool) -> None:
        """Note that a series is done, and what came of it.

        Args:
            series: which.
            said: what came of it, without what names the patient.
            delete: whether its images are deleted.
        """
        write_text(series.answers / "done.json", json.dumps(dict(said), indent=2) + "\n")
        if delete:
            shutil.rmtree(series.images)


def _locked(path: Path) -> IO[str]:
    """Return a file that this process alone may hold open."""
    with explained(path, PLACE):
        file = path.open("w", encoding="utf-8")
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:  # on Windows: whoever starts two there must know
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise UsageError(
            f"{path.parent} is used by another process: stop it, or choose another --inbox."
        ) from error
    return file
