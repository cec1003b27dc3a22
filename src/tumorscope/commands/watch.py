"""Whether a model still works, from its log and later truth."""

from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained

if TYPE_CHECKING:
    from tumorscope.schema.watch import Watched


def watch(
    log: str | Path,
    *,
    truth: str | Path | None = None,
    by: str = "image",
    label: str = "label",
    patient: str = "",
    known: str = "",
    expect: float | None = None,
    model: str | Path | None = None,
    page: str | Path | None = None,
) -> "Watched":
    """Say whether a model still works.

    Args:
        log: a folder, or the address of a PostgreSQL database.
        truth: a CSV with the true class of cases; what readers said last unless given.
        by: its column with the case's name or id.
        label: its column with the class.
        patient: its column with whom the case belongs to; as the log has it unless given.
        known: its column with the date since which the truth is known: accuracy is followed in that
            order, in the order of the cases unless given.
        expect: the accuracy below which a fall is looked for, in (0, 1); the lower end of the
            interval on the model's card unless given.
        model: what is watched, as `predict` takes it; the newest in the log unless given.
        page: where to write a page of it.

    Raises:
        TumorscopeError: something cannot be used; the message says what, and what to do.
    """
    require_extra("watch", "tumorscope watch")
    from tumorscope.inference.bundle import card_digest, open_bundle
    from tumorscope.watching.log import Log
    from tumorscope.watching.watch import read_truths, watch_log

    digest = ""
    if model is not None:
        card = open_bundle(model).card
        digest = card_digest(card)
        accuracy = card.scores.get("accuracy")
        if expect is None and accuracy is not None:
            expect = accuracy.low or accuracy.value
    truths = None if truth is None else read_truths(Path(truth), by, label, patient, known)
    opened = Log(log, reading=True)
    try:
        if expect is None:
            raise UsageError(
                "What accuracy is expected? Give --expect 0.93, or --model with its bundle."
            )
        watched = watch_log(opened, truths, expect, digest)
    finally:
        opened.close()
    if page is not None:
        require_extra("train", "tumorscope watch --page")
        from tumorscope.report.watch_page import write_watch_page

        with explained(Path(page), "with --page"):
            Path(page).parent.mkdir(parents=True, exist_ok=True)
        write_watch_page(Path(page), watched)
    return watched
