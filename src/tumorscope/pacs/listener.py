"""Series that come in are answered, and answers sent back: a kill loses none and doubles none."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tumorscope.data.scans.pseudonyms import pseudonym
from tumorscope.errors import ArchiveError, UnreadableImage
from tumorscope.inference.dicom_report import write_dicom_answer
from tumorscope.inference.predict import Predictor
from tumorscope.inference.series import answered_stacks
from tumorscope.pacs.dimse import Local, Node, has, send
from tumorscope.pacs.inbox import Arrived, Inbox
from tumorscope.records import SeriesPrediction

Say = Callable[[str], None]
LOOK_EVERY = 1.0  # seconds
AGAIN_AFTER = 30.0  # seconds, where the archive could not be reached


@dataclass(frozen=True)
class ListenOptions:
    """How series that come in are treated.

    Attributes:
        quiet_for: seconds without a further image after which a series counts as complete.
        delete: whether its images are deleted when its answers were taken.
    """

    quiet_for: float = 30.0
    delete: bool = False


class Listener:
    """Answers what arrives in an inbox.

    Attributes:
        inbox: where images arrive.
    """

    def __init__(
        self,
        predictor: Predictor,
        inbox: Inbox,
        local: Local,
        destination: Node | None,
        options: ListenOptions,
        say: Say,
    ) -> None:
        self.inbox = inbox
        self._predictor, self._local, self._destination = predictor, local, destination
        self._options, self._say = options, say
        self._again: dict[str, float] = {}
        self._asked: set[Path] = set()  # what this process began to send itself

    def keep(self, header: Any, content: bytes) -> None:
        """Keep an image that was sent to us.

        Raises:
            AttributeError: its header does not say which it is.
            DiskFull, UsageError: it cannot be written.
        """
        series = pseudonym("series", str(header.SeriesInstanceUID))
        self.inbox.keep(series, pseudonym("image", str(header.SOPInstanceUID)), content)

    def run(self, stop: threading.Event) -> None:
        """Answer until told to stop."""
        while not stop.wait(LOOK_EVERY):
            self.look()

    def look(self) -> None:
        """Answer every series that is complete, and send what was not taken yet."""
        for series in self.inbox.arrived(self._options.quiet_for):
            if self._again.get(series.name, 0) > time.monotonic():
                continue
            self.inbox.answer(series, partial(self._write, series))
            try:
                sent = sum(self._send(path) for path in sorted(series.answers.glob("*.dcm")))
            except ArchiveError as error:
                self._again[series.name] = time.monotonic() + AGAIN_AFTER
                self._say(f"{series.name}: {error} Retrying in {AGAIN_AFTER:.0f} s.")
                continue
            told = (series.answers / "said.txt").read_text(encoding="utf-8").splitlines()
            where = f", {sent} objects sent to {self._destination}" if sent else ""
            self.inbox.conclude(
                series, {"said": told, "sent": sent}, delete=self._options.delete and sent > 0
            )
            self._say(f"{series.name}: {'; '.join(told)}{where}")

    def _write(self, series: Arrived, folder: Path) -> None:
        """Write the answers to a series, and what they come to."""
        said = []
        for stack, answer in answered_stacks(self._predictor, series.images):
            words = _in_words(answer)
            if stack is not None and stack.facts and answer.accepted:
                try:
                    write_dicom_answer(folder, stack, answer, self._predictor.card)
                except UnreadableImage as error:
                    words += f", no report, since it {error}"
            said.append(words)
        (folder / "said.txt").write_text("\n".join(said) + "\n", encoding="utf-8")

    def _send(self, path: Path) -> bool:
        """Send an object unless the archive has it, and say whether it was sent or is there."""
        if self._destination is None:
            return False
        sending, sent = path.with_suffix(".sending"), path.with_suffix(".sent")
        if sent.exists():
            return True
        # Where we were killed while sending, only the archive knows whether it arrived.
        doubtful = sending.exists() and path not in self._asked
        sending.touch()
        self._asked.add(path)
        if not (doubtful and has(self._local, self._destination, path)):
            send(self._local, self._destination, path)
        sent.touch()
        return True


def _in_words(answer: SeriesPrediction) -> str:
    if answer.error is not None:
        return f"cannot be read ({answer.error})"
    if not answer.accepted:
        return f"not answered ({answer.reason})"
    return f"{answer.label} {answer.probabilities[answer.label]:.1%}"
