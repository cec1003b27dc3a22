"""The public data sets that the recipes were made for: what they are, and how to get one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from tumorscope.data.layouts import read_manifest
from tumorscope.errors import DataError, UsageError
from tumorscope.support.extras import require_extra

LISTED = files("tumorscope.data") / "datasets.yaml"


class KnownSet(BaseModel):
    """A public data set.

    Attributes:
        name: how it is called here.
        title: how its source calls it.
        kaggle: owner and name on Kaggle, None where it is elsewhere.
        figshare: number on figshare, None where it is elsewhere.
        images: how many it has.
        classes: the names of its class folders.
        licence: under which it may be used.
        recipes: what was made for it.
        defects: what an audit finds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    kaggle: str | None = None
    figshare: str | None = None
    images: int
    classes: tuple[str, ...]
    licence: str
    recipes: tuple[str, ...]
    defects: str

    @property
    def source(self) -> str:
        """Where it is published."""
        return f"Kaggle {self.kaggle}" if self.kaggle else f"figshare {self.figshare}"


def known_sets() -> list[KnownSet]:
    """Return the public sets that are known, in the order of the list."""
    listed = yaml.safe_load(LISTED.read_text(encoding="utf-8"))
    return [KnownSet.model_validate(entry) for entry in listed]


def find_set(name: str) -> KnownSet:
    """Return a known set by its name.

    Raises:
        UsageError: there is none.
    """
    for known in known_sets():
        if known.name == name:
            return known
    names = ", ".join(known.name for known in known_sets())
    raise UsageError(f"There is no data set '{name}' in the list: choose from {names}.")


def fetch_set(name: str) -> Path:
    """Bring a known set into the user's cache with kagglehub, and return where it lies.

    A download that was broken off goes on where it was; kagglehub compares checksums. What arrives
    is read once, and a number of images other than the listed one is an error.

    Raises:
        UsageError: there is no such set.
        MissingExtra: kagglehub is not installed.
        DataError: it cannot be downloaded, or is not what it was.
    """
    known = find_set(name)
    if known.kaggle is None:
        raise DataError(f"'{name}' is not on Kaggle: {_manual(known)}")
    require_extra("kaggle", "tumorscope datasets fetch")
    with _quiet():
        import kagglehub  # noqa: PLC0415  (an extra)

        try:
            folder = Path(kagglehub.dataset_download(known.kaggle))
        except Exception as error:
            reason = str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__
            raise DataError(
                f"'{name}' cannot be downloaded ({reason[:160]}): connect to a network and set "
                f"KAGGLE_USERNAME and KAGGLE_KEY if Kaggle asks for them, or {_manual(known)}"
            ) from error
    count = len(read_manifest(folder).rows)
    if count != known.images:
        raise DataError(
            f"{folder} holds {count} images and not the {known.images} of '{name}': its source "
            "changed it, or files are missing. Look at it with 'tumorscope audit'."
        )
    return folder


def _manual(known: KnownSet) -> str:
    return (
        f"download '{known.title}' ({known.source}) with a browser, unpack it, and run "
        "'tumorscope audit FOLDER'."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep kagglehub's notes out of the answer; its progress bar stays."""
    before = os.environ.get("KAGGLEHUB_VERBOSITY")
    os.environ.setdefault("KAGGLEHUB_VERBOSITY", "error")
    try:
        yield
    finally:
        if before is None:
            del os.environ["KAGGLEHUB_VERBOSITY"]
