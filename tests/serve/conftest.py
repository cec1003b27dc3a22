"""What the tests of the server share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def images(phantoms: Path) -> list[Path]:
    """Slices of phantoms."""
    return sorted(phantoms.parent.rglob("*.png"))
