"""What the names of folders and files say: parts, sets of masks, copies, patients."""

import re
import unicodedata

from tumorscope.records import Part

PART_WORDS: dict[str, Part] = {
    **dict.fromkeys(["train", "training", "trn"], "train"),
    **dict.fromkeys(["val", "valid", "validation", "dev", "eval", "evaluation"], "validation"),
    **dict.fromkeys(["test", "testing", "tst", "holdout"], "test"),
}
NEUTRAL: tuple[str, ...] = (
    *("data", "dataset", "set", "images", "image", "imgs", "img", "folder", "split", "part"),
    *("files", "file", "mri", "slices", "scans", "dir"),
)
_FILLER = "(?:" + "|".join(sorted(NEUTRAL, key=len, reverse=True)) + r"|\d+)*"
_WORDS = "|".join(sorted(PART_WORDS, key=len, reverse=True))
_PART = re.compile(f"{_FILLER}({_WORDS}){_FILLER}")

IMAGE_FOLDERS = {"images", "image", "imgs", "img", "jpg", "jpeg", "jpegs", "png", "jpegimages"}
UNLABELLED = "nothing says their class: 'tumorscope predict' answers them"
ASIDE = {
    **dict.fromkeys(
        ["mask", "masks", "segmentation", "segmentations", "seg", "segs", "groundtruth", "gt"],
        "masks are no images to classify",
    ),
    **dict.fromkeys(
        ["pred", "preds", "prediction", "predictions", "unlabeled", "unlabelled", "output"],
        UNLABELLED,
    ),
    **dict.fromkeys(
        ["outputs", "results", "figures", "figure", "plots", "docs", "doc", "screenshots"],
        "no slices of the set",
    ),
}
MASK_ENDINGS = ("mask", "seg", "segmentation", "gt", "groundtruth", "label")
_COPY = re.compile(
    r"new folder|untitled folder|copy of .*|.*[ _-]+copy( ?\(\d+\))?|.*\(\d+\)", re.IGNORECASE
)


def plain(name: str) -> str:
    """Return a name without case, spaces, dashes and underscores, in one Unicode form."""
    return re.sub(r"[\s_\-–]+", "", unicodedata.normalize("NFC", name)).casefold()


def part_of(name: str) -> Part | None:
    """Return the part that a name stands for beyond doubt.

    >>> part_of("Training Set"), part_of("1_train"), part_of("val"), part_of("Testing positive")
    ('train', 'train', 'validation', None)
    """
    match = _PART.fullmatch(plain(name))
    return PART_WORDS[match[1]] if match else None


def hints_at_part(name: str) -> bool:
    """Say whether a word of a name is that of a part, among others.

    >>> hints_at_part("test_glioma"), hints_at_part("latest")
    (True, False)
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return any(word.casefold() in PART_WORDS for word in words)


def hints_at_copy(name: str) -> bool:
    """Say whether a name is one that a file manager gives to a copy or a new folder.

    >>> hints_at_copy("glioma - Copy"), hints_at_copy("glioma")
    (True, False)
    """
    return _COPY.fullmatch(name) is not None


def why_aside(name: str) -> str | None:
    """Say why a folder of this name holds no class, None where it may."""
    words = {word.casefold() for word in re.findall(r"[A-Za-z][a-z]*", name)}
    return ASIDE.get(plain(name)) or (ASIDE["masks"] if words & {"mask", "masks"} else None)


def unmasked(stem: str) -> str | None:
    """Return the name of the image that a mask's name belongs to, None for other names.

    >>> unmasked("slice_07_mask"), unmasked("unmask")
    ('slice_07', None)
    """
    head, _, tail = re.sub(r"[\s\-.]", "_", stem).rpartition("_")
    return stem[: len(head)] if head and tail.casefold() in MASK_ENDINGS else None


def shape_of(name: str) -> str:
    """Return a name with each run of digits as one sign.

    >>> shape_of("TCGA_CS_4941_19960909")
    'tcga_cs_#_#'
    """
    return re.sub(r"\d+", "#", name.casefold())
