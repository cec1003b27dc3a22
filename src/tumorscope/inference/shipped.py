"""Models that come with the package, each a zip of a bundle."""

from pathlib import Path

MODELS = Path(__file__).parent / "models"
DEFAULT = "tumor-type-t1c"  # what answers where no bundle is named


def shipped_names() -> list[str]:
    """Return the names of the models that come with the package."""
    return sorted(path.stem for path in MODELS.glob("*.zip"))


def shipped_zip(name: str) -> Path:
    """Return the zip of a model that comes with the package; there may be none of this name."""
    return MODELS / f"{name}.zip"
