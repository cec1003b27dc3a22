"""Parts of the package that may not be installed."""

from importlib.util import find_spec

from tumorscope.errors import MissingExtra

TRAINING_PACKAGES = (
    *("torch", "timm", "lightning", "sklearn", "scipy", "faiss", "seaborn", "jinja2"),
    "cleanlab",
)


def require_training(what: str) -> None:
    """Refuse to start what needs the training packages where they are not installed.

    Raises:
        MissingExtra: they are not; the message names the command that installs them.
    """
    if any(find_spec(name) is None for name in TRAINING_PACKAGES):
        raise MissingExtra(what, "train")
