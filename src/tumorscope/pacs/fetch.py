"""Studies out of an archive into a folder: by DICOMweb, or sent by it over the network."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from tumorscope.data.scans.pseudonyms import pseudonym
from tumorscope.errors import ArchiveError, UsageError
from tumorscope.pacs.dimse import Local, Node, move, receiving
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained, write_bytes
from tumorscope.support.progress import Progress

WEB = ("http://", "https://")
UID = re.compile(r"[0-9.]{1,64}")


def fetch(
    source: str,
    out: Path,
    study: str,
    *,
    series: str | None = None,
    ours: tuple[Local, tuple[str, int]],
    progress: Progress,
) -> int:
    """Fetch the MR images of a study; those that are there already are not fetched again.

    Args:
        source: the address of a DICOMweb service, or `TITLE@HOST:PORT` of an archive, which must
            know our AE title and where it is.
        out: a folder; each series gets one in it.
        study: its UID.
        series: the UID of one series of it; all unless given.
        ours: our end of the network, and the address that an archive sends to.
        progress: where to report.

    Returns:
        How many images of the study are in the folder now.

    Raises:
        MissingExtra: what talks to archives is not installed.
        ArchiveError: the archive cannot be reached, refuses, or has no MR image of that study.
        UsageError: the folder cannot be written to, or a UID is none.
    """
    require_extra("pacs", "tumorscope fetch")
    require_extra("dicom", "tumorscope fetch")
    for uid in (study, series or study):
        if not UID.fullmatch(uid):
            raise UsageError(f"{uid!r} is not a UID: digits and points, up to 64.")
    if source.startswith(WEB):
        count = _fetch_web(source, out, study, series, progress)
    else:
        count = _fetch_moved(Node.parse(source), out, study, series, ours)
    if not count:
        raise ArchiveError(f"{source} has no MR image of study {study}: check the UID.")
    return count


def _path(out: Path, header: Any) -> Path:
    folder = out / pseudonym("series", str(header.SeriesInstanceUID))
    return folder / f"{pseudonym('image', str(header.SOPInstanceUID))}.dcm"


def _fetch_web(source: str, out: Path, study: str, series: str | None, progress: Progress) -> int:
    """Fetch over DICOMweb, image by image, and return how many there are."""
    from dicomweb_client import DICOMwebClient  # noqa: PLC0415 (an extra)

    filters = {"Modality": "MR", **({"SeriesInstanceUID": series} if series else {})}
    with _explained(source):
        client = DICOMwebClient(url=source)
        found = client.search_for_series(study, search_filters=filters)
        images = [
            (own, _uid(item, "00080018"))
            for own in (_uid(each, "0020000E") for each in found)
            for item in client.search_for_instances(study, own)
        ]
        with progress.task("fetching", len(images)) as task:
            for own, image in images:
                path = out / pseudonym("series", own) / f"{pseudonym('image', image)}.dcm"
                if not path.is_file():
                    content = BytesIO()
                    client.retrieve_instance(study, own, image).save_as(
                        content, enforce_file_format=True
                    )
                    _write(path, content.getvalue())
                task.advance(1)
    return len(images)


def _fetch_moved(
    node: Node, out: Path, study: str, series: str | None, ours: tuple[Local, tuple[str, int]]
) -> int:
    """Have an archive send a study to us, and return how many images came."""
    came: set[Path] = set()

    def keep(header: Any, content: bytes) -> None:
        """Keep an MR image."""
        if header.get("Modality") == "MR":
            path = _path(out, header)
            _write(path, content)
            came.add(path)

    local, address = ours
    with receiving(local, address, [node.title], keep):
        move(local, node, study, series)
    return len(came)


def _write(path: Path, content: bytes) -> None:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """Turn what the client raises into a sentence."""
    import requests  # noqa: PLC0415 (of the same extra)

    try:
        yield
    except (requests.RequestException, OSError, KeyError, ValueError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = f"HTTP {status}" if status else type(error).__name__
        raise ArchiveError(
            f"{source} cannot be read ({said}): check the address, and that it is the root of a "
            "DICOMweb service."
        ) from None


def _uid(item: dict[str, Any], tag: str) -> str:
    return str(item[tag]["Value"][0])
