"""What can go wrong, as the user meets it.

TumorscopeError            every error that the package raises on purpose; exit code 2
├── UsageError             an option or an output folder that cannot be used
├── DataError              a data set that cannot be used
│   └── UnreadableImage    one file that cannot be decoded
├── RecipeError            a recipe that cannot be used
├── BundleError            a bundle that is missing, damaged or of another format
├── MissingExtra           a part of the package that is not installed
├── OutOfMemory            the machine has too little memory for these settings
├── Diverged               training whose loss is no number any more
├── ArchiveError           an image archive that cannot be reached, or refuses
├── DiskFull               an output could not be written
└── Interrupted            stopped by the user; exit code 130

Each message is one sentence or two: what was found, and what to do next.
"""


class TumorscopeError(Exception):
    """Base of every error that is raised on purpose."""

    exit_code = 2

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback: the sentence."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(TumorscopeError):
    """An option or an output folder that cannot be used."""


class DataError(TumorscopeError):
    """A data set that cannot be used."""


class UnreadableImage(DataError):
    """One file that cannot be decoded; the message is the reason alone."""


class RecipeError(TumorscopeError):
    """A recipe that cannot be used."""


class BundleError(TumorscopeError):
    """A bundle that is missing, damaged or of another format."""


class MissingExtra(TumorscopeError):
    """A part of the package that is not installed; the message names the command."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed here: pip install '.[{extra}]' "
            "in tumorscope's folder"
        )


class OutOfMemory(TumorscopeError):
    """The machine has too little memory for these settings."""


class Diverged(TumorscopeError):
    """Training whose loss is no number any more; the message says where, and what to try."""


class ArchiveError(TumorscopeError):
    """An image archive (PACS) that cannot be reached, or refuses; the message says why."""


class DiskFull(TumorscopeError):
    """An output could not be written for want of space."""


class Interrupted(TumorscopeError):
    """The user stopped the work; the message says how to go on."""

    exit_code = 130
