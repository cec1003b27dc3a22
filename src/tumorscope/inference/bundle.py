"""The portable model: weights (safetensors), graph, and a card that says what they are.

A bundle is a folder, or one zip of it. Nothing in it is ever executed or unpickled, a zip is never
unpacked to disk, and each file is checked against the card's digest before anything is built.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tumorscope.errors import BundleError
from tumorscope.inference.shipped import shipped_names, shipped_zip
from tumorscope.schema.card import FORMAT, Card
from tumorscope.support.files import explained, replacing, write_bytes, write_text

CARD, README, GRAPH = "card.json", "README.md", "model.onnx"
WEIGHTS, GATE = "weights.safetensors", "gate.safetensors"  # the same for PyTorch
EXAMPLES = "examples.bin"  # what some training images are to the network
NETWORK, NETWORK_WEIGHTS = "model.xml", "model.bin"  # the graph in OpenVINO's form
FILES = (CARD, README, GRAPH, WEIGHTS, GATE, EXAMPLES, NETWORK, NETWORK_WEIGHTS)
MOST_BYTES = 4_000_000_000  # of one file; the largest network of timm is half of it
MOST_CARD_BYTES = 4_000_000
MOST_SQUEEZED = 50  # times that a file of a zip may be larger than its compressed form
STAMP = (1980, 1, 1, 0, 0, 0)  # of files in a zip, so that equal bundles are equal files

Runtime = Literal["onnx", "openvino", "pytorch"]

UNSUPPORTED = (RuntimeError, NotImplementedError)  # encrypted, or packed in another way


class Bundle:
    """A bundle whose files are checked when they are read.

    Attributes:
        place: where it lies, a folder or a zip.
        card: what it is.
    """

    def __init__(self, place: Path, card: Card, content: Callable[[str], bytes]) -> None:
        self.place = place
        self.card = card
        self._content = content

    def __contains__(self, name: str) -> bool:
        return name in self.card.files

    def read(self, name: str) -> bytes:
        """Return the content of one of its files, checked against the card's digest.

        Raises:
            BundleError: the file is missing or not the one the card was written for.
        """
        content = self._content(name)
        if hashlib.sha256(content).hexdigest() != self.card.files.get(name):
            raise BundleError(
                f"{self.place / name} is not the file that {CARD} describes (its digest differs): "
                "it was damaged or replaced; take a fresh copy of the bundle."
            )
        return content


def write_bundle(folder: Path, card: Card, contents: Mapping[str, bytes]) -> None:
    """Write a bundle; the card, which makes it one, comes last.

    Raises:
        UsageError: the folder cannot be written to.
    """
    with explained(folder):
        folder.mkdir(exist_ok=True, parents=True)
    for name, content in contents.items():
        write_bytes(folder / name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    write_card(folder, card.model_copy(update={"files": card.files | digests}))


def write_card(folder: Path, card: Card) -> None:
    """Write the card of a bundle anew."""
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")


def card_digest(card: Card) -> str:
    """Return what tells a model apart: SHA-256 of its card, which has the digests of its files."""
    return hashlib.sha256(card.model_dump_json().encode()).hexdigest()


def zip_bundle(folder: Path) -> Path:
    """Write the zip of a bundle next to its folder and return its path."""
    path = folder.with_suffix(".zip")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in FILES:
            if (folder / name).is_file():  # stored as it is: weights do not compress
                archive.writestr(zipfile.ZipInfo(name, STAMP), (folder / name).read_bytes())
    return path


def open_bundle(place: str | Path) -> Bundle:
    """Open a bundle: its folder, its zip, the run that holds it, or a model of the package.

    Raises:
        BundleError: there is none, its card is not of the known format, or its zip is not to be
            trusted.
    """
    top = Path(place)
    if not top.exists() and str(place) in shipped_names():
        top = shipped_zip(str(place))
    folder = top / "bundle" if (top / "bundle" / CARD).is_file() else top
    if top.is_file():
        content = _zip_reader(top)
    elif (folder / CARD).is_file():
        content, top = _folder_reader(folder), folder
    elif several := sorted(top.glob(f"*/bundle/{CARD}")):
        raise BundleError(
            f"{top} holds several runs, each with a model: give one of them, such as "
            f"{several[0].parent.parent}."
        )
    else:
        raise BundleError(
            f"{top} is not a bundle: give a run of 'tumorscope train', its bundle/ folder or its "
            f"zip, or a model of the package ({', '.join(shipped_names())})."
        )
    return Bundle(top, _read_card(top / CARD, content(CARD)), content)


def holds_bundle(place: str | Path) -> bool:
    """Say whether something is meant as a bundle, rather than as an image or a folder of images."""
    top = Path(place)
    if top.is_dir():
        inside = (CARD, f"bundle/{CARD}", f"*/bundle/{CARD}", "recipe.yaml")
        return any(True for pattern in inside for _ in top.glob(pattern))
    return top.suffix == ".zip" or (not top.exists() and str(place) in shipped_names())


def _read_card(path: Path, content: bytes) -> Card:
    try:
        card = Card.model_validate_json(content)
    except ValidationError as error:
        raise BundleError(
            f"{path} is not a card of format {FORMAT}{_first_problem(error)}: "
            "it was damaged, or written by another version of tumorscope."
        ) from error
    if len(card.canonical) != len(card.classes) or len(set(card.classes)) != len(card.classes):
        raise BundleError(f"{path} does not name each class exactly once: take a fresh copy.")
    if len(card.calibration.thresholds) not in (0, len(card.classes)):
        raise BundleError(f"{path} does not have one threshold for each class: take a fresh copy.")
    return card


def _folder_reader(folder: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        """Return the content of a file of the folder."""
        path = folder / name
        try:
            _refuse_size(path, name, path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise BundleError(
                f"{path} is missing from the bundle: train or export again."
            ) from error

    return read


def _zip_reader(path: Path) -> Callable[[str], bytes]:
    """Check the list of a zip's files and return what reads one of them into memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BundleError(f"{path} is not the zip of a bundle, or is cut off ({error}).") from error
    names = [member.filename for member in members]
    if strange := [name for name in names if name not in FILES]:
        raise BundleError(f"{path} holds {strange[0]!r}, which does not belong in a bundle.")
    if len(set(names)) < len(names) or CARD not in names:
        raise BundleError(f"{path} does not hold each file of a bundle once, {CARD} among them.")
    for member in members:
        _refuse_size(path, member.filename, member.file_size)
        if member.file_size > MOST_SQUEEZED * member.compress_size + MOST_CARD_BYTES:
            raise BundleError(f"{path} holds a zip bomb, {member.filename}: it is not opened.")

    def read(name: str) -> bytes:
        """Return the content of a file of the zip."""
        if name not in names:
            raise BundleError(f"{path} holds no {name}: take a fresh copy of the bundle.")
        try:
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                return file.read(archive.getinfo(name).file_size)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, *UNSUPPORTED) as error:
            raise BundleError(f"{path} is damaged at {name} ({error}).") from error

    return read


def _refuse_size(path: Path, name: str, size: int) -> None:
    most = MOST_CARD_BYTES if name == CARD else MOST_BYTES
    if size > most:
        raise BundleError(f"{path} holds {size:,} bytes of {name}; at most {most:,} are read.")


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(step) for step in first["loc"]) or "the file"
    return f" ({field}: {first['msg']})"
