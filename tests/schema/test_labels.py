"""Class names as people write them."""

import pytest

from tumorscope.schema.labels import canonical, same_class


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("glioma_tumor", "glioma"),
        ("Glioma", "glioma"),
        ("meningioma_tumor", "meningioma"),
        ("Pituitary", "pituitary"),
        ("pituitary_tumor", "pituitary"),
        ("notumor", "no_tumor"),
        ("No Tumor", "no_tumor"),
        ("no", "no_tumor"),
        ("yes", "tumor"),
        ("metastasis", None),
    ],
)
def test_canonical_names(written: str, meant: str | None) -> None:
    """The public sets' spellings all stand for the same few classes."""
    assert canonical(written) == meant


def test_spellings_of_an_unknown_class_are_one() -> None:
    """Case and punctuation make no new class."""
    assert same_class("Meta_Stasis") == same_class("metastasis") != same_class("lymphoma")
