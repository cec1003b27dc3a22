"""The answering of one case, and news of it for those who wait."""

import threading
from dataclasses import dataclass, field

from tumorscope.watching.cases import Case


@dataclass
class Job:
    """The answering of one case.

    Attributes:
        case: as it came.
        total: slices.
        done: slices that are answered.
        finished: whether the answer is in the log.
        error: why it will never be; empty unless so.
        answered: the case of an image with its answer, so that it need not be read again.
        changed: wakes up whoever waits for news.
    """

    case: Case
    total: int
    done: int = 0
    finished: bool = False
    error: str = ""
    answered: Case | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def advance(self, *, finished: bool = False, error: str = "") -> None:
        """Say that one more slice is answered, or that all is."""
        with self.changed:
            if not finished and not error:
                self.done += 1
            self.finished, self.error = finished, error
            self.changed.notify_all()
