"""The network protocol of archives: take images, send answers, ask, and have images sent.

Nothing of a header is ever logged: the library's own log, which quotes it, is switched off.
"""

import logging
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tumorscope.errors import ArchiveError, TumorscopeError

OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0xA700, 0xC000  # what a sender is told
PENDING = (0xFF00, 0xFF01)
SECONDS = 30  # until a silent archive is given up
MOST_TITLE = 16  # letters of an AE title
PORTS = 65_536

Keep = Callable[[Any, bytes], None]


def check_title(title: str) -> None:
    """Refuse what cannot be an AE title.

    Raises:
        ArchiveError: it cannot.
    """
    if not title.strip() or len(title) > MOST_TITLE or not title.isascii() or "\\" in title:
        raise ArchiveError(f"{title!r} is not an AE title: up to {MOST_TITLE} plain letters.")


@dataclass(frozen=True)
class Node:
    """An archive on the network.

    Attributes:
        title: its AE title.
        host, port: where it listens.
    """

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Node":
        """Read `TITLE@HOST:PORT`.

        Raises:
            ArchiveError: it is none.
        """
        title, _, place = text.partition("@")
        host, _, port = place.rpartition(":")
        if not (title and host and port.isdigit() and 0 < int(port) < PORTS):
            raise ArchiveError(f"{text!r} is not an archive address: give TITLE@HOST:PORT.")
        check_title(title)
        return cls(title, host, int(port))

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Local:
    """This end of the network.

    Attributes:
        title: its AE title.
        tls: encrypts what is sent and checks the other end; None for plain connections.
    """

    title: str = "TUMORSCOPE"
    tls: ssl.SSLContext | None = None


def _entity(local: Local) -> Any:
    from pynetdicom import AE  # noqa: PLC0415 (an extra)

    logging.getLogger("pynetdicom").disabled = True
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("pynetdicom"):
            logging.getLogger(name).disabled = True
    check_title(local.title)
    entity = AE(ae_title=local.title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = SECONDS
    entity.connection_timeout = SECONDS
    return entity


@contextmanager
def receiving(
    local: Local, address: tuple[str, int], allowed: Sequence[str], keep: Keep
) -> Iterator[int]:
    """Take images while the block runs.

    Args:
        local: this end; `tls` must hold a certificate.
        address: where to listen; port 0 for any that is free.
        allowed: the AE titles that may send; others are turned away, all where there are none.
        keep: called with the header and the file of each image; what it raises refuses the image.

    Yields:
        The port.

    Raises:
        ArchiveError: the address is in use.
    """
    from pydicom import dcmread  # noqa: PLC0415 (an extra)
    from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt  # noqa: PLC0415
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # noqa: PLC0415

    def handle(event: Any) -> int:
        """Keep one image and return what the sender is told."""
        try:
            content = event.encoded_dataset()
            header = dcmread(BytesIO(content), stop_before_pixels=True)
            keep(header, content)
        except (TumorscopeError, OSError):
            return OUT_OF_RESOURCES
        except Exception:  # noqa: BLE001 (whatever a damaged object makes the reader raise)
            return NOT_UNDERSTOOD
        return 0x0000

    entity = _entity(local)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
    entity.add_supported_context(Verification)
    entity.require_called_aet = True
    for title in allowed:
        check_title(title)
    entity.require_calling_aet = list(allowed)
    try:
        server = entity.start_server(
            address, block=False, ssl_context=local.tls, evt_handlers=[(evt.EVT_C_STORE, handle)]
        )
    except OSError as error:
        raise ArchiveError(
            f"Cannot listen on {address[0]}:{address[1]} ({error.strerror}): choose another --host "
            "or --port."
        ) from error
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


@contextmanager
def _association(local: Local, node: Node, contexts: Sequence[tuple[Any, Any]]) -> Iterator[Any]:
    """Open a connection for some kinds of objects or questions.

    Raises:
        ArchiveError: the archive cannot be reached, or refuses.
    """
    entity = _entity(local)
    for kind, syntaxes in contexts:
        entity.add_requested_context(kind, syntaxes)
    tls = (local.tls, node.host) if local.tls else None
    association = entity.associate(node.host, node.port, ae_title=node.title, tls_args=tls)
    if not association.is_established:
        why = "refuses us" if association.is_rejected else "cannot be reached"
        raise ArchiveError(
            f"{node} {why}: check that it runs and knows {local.title} as an AE title."
        )
    try:
        yield association
    finally:
        association.release()


def send(local: Local, node: Node, path: Path) -> None:
    """Send an object to an archive.

    Raises:
        ArchiveError: it cannot be reached, or does not take it.
    """
    from pydicom import dcmread  # noqa: PLC0415 (an extra)

    own = dcmread(path)
    kinds = [(own.SOPClassUID, [own.file_meta.TransferSyntaxUID])]
    with _association(local, node, kinds) as association:
        if not association.accepted_contexts:
            raise ArchiveError(f"{node} takes no {own.SOPClassUID.name}.")
        status = association.send_c_store(own)
    if not status or status.Status not in (0x0000, 0xB000, 0xB006, 0xB007):
        said = f"status {status.Status:04X}" if status else "no answer"
        raise ArchiveError(f"{node} did not take the object ({said}).")


def has(local: Local, node: Node, path: Path) -> bool:
    """Say whether an archive has an object; it counts as missing where the archive cannot say.

    Raises:
        ArchiveError: it cannot be reached.
    """
    from pydicom import Dataset, dcmread  # noqa: PLC0415 (an extra)
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find  # type: ignore[attr-defined]  # noqa: PLC0415

    own = dcmread(path, stop_before_pixels=True)
    asked = Dataset()
    asked.QueryRetrieveLevel = "IMAGE"
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(asked, name, own[name].value)
    with _association(local, node, [(Find, None)]) as association:
        if not association.accepted_contexts:
            return False
        answers = list(association.send_c_find(asked, Find))
    return any(status and status.Status in PENDING for status, _ in answers)


def move(local: Local, node: Node, study: str, series: str | None = None) -> int:
    """Have an archive send a study, or a series of it, to this end, which is receiving.

    Returns:
        How many images it says it has sent.

    Raises:
        ArchiveError: it cannot be reached, or does not send.
    """
    from pydicom import Dataset  # noqa: PLC0415 (an extra)
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move  # type: ignore[attr-defined]  # noqa: PLC0415

    asked = Dataset()
    asked.QueryRetrieveLevel = "SERIES" if series else "STUDY"
    asked.StudyInstanceUID = study
    if series:
        asked.SeriesInstanceUID = series
    with _association(local, node, [(Move, None)]) as association:
        last = None
        for status, _ in association.send_c_move(asked, local.title, Move):
            last = status
    if not last or last.Status != 0x0000:
        said = f"status {last.Status:04X}" if last else "no answer"
        raise ArchiveError(
            f"{node} did not send all of the study ({said}): it must know {local.title} and reach "
            "it at --host and --port."
        )
    return int(last.get("NumberOfCompletedSuboperations") or 0)
