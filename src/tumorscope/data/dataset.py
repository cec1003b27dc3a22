"""A data set read as a recipe wants it."""

from collections.abc import Mapping
from pathlib import Path

from tumorscope.data.layouts import read_manifest
from tumorscope.data.layouts.box_labels import label_by_boxes, refuse_without_boxes
from tumorscope.data.layouts.boxes import count_unmarked
from tumorscope.data.store import Store, open_store
from tumorscope.records import Manifest
from tumorscope.schema.layout import UNSAID, LayoutOptions
from tumorscope.schema.recipe import Recipe
from tumorscope.support.progress import Progress

NAMED = 3  # images that a sentence names


def read_store(
    data: Path,
    recipe: Recipe,
    progress: Progress,
    *,
    strict: bool,
    layout: LayoutOptions = UNSAID,
) -> Store:
    """Read a data set at a recipe's size and say what was found and left out.

    Raises:
        DataError: it cannot be read, or has no boxes where the recipe needs them.
    """
    manifest = read_manifest(data, layout)
    if recipe.needs_boxes:
        refuse_without_boxes(
            manifest, "the recipe needs them", "set label_from=folder needs_boxes=false"
        )
    if recipe.localise:
        refuse_without_boxes(manifest, "localise=true learns from them", "set localise=false")
    say_layout(manifest, progress)
    if manifest.unmarked:
        progress.say(_unmarked(manifest.unmarked, used=recipe.label_from == "folder"))
    if recipe.label_from == "boxes":
        manifest = label_by_boxes(manifest, recipe.box_classes, recipe.box_label)
        progress.say(manifest.note)
    store = open_store(manifest, recipe.image_size, progress=progress, strict=strict)
    left_out = store.manifest.left_out
    for file in left_out[:10]:
        progress.say(f"left out: {file.image}: {file.reason}")
    if len(left_out) > 10:
        progress.say(f"left out: … and {len(left_out) - 10} more files")
    return store


def say_layout(manifest: Manifest, progress: Progress) -> None:
    """Say what a data set was taken for, and each thing that its layout left to be guessed."""
    progress.say(
        f"{manifest.layout}: {len(manifest.rows)} images of {len(manifest.classes)} classes "
        f"({', '.join(manifest.classes)}){_passed_over(manifest)}"
    )
    for sentence in manifest.notes:
        progress.say(sentence)


def _passed_over(manifest: Manifest) -> str:
    """Say which files are no images."""
    return f"; other files: {manifest.others}" if manifest.others else ""


def _unmarked(reasons: Mapping[str, str], *, used: bool) -> str:
    """Say how many images have no label file, or an empty one, and name the first of them."""
    first = ", ".join(list(reasons)[:NAMED]) + (", …" if len(reasons) > NAMED else "")
    become = "used without boxes" if used else "left out, as no box names their class"
    return f"{count_unmarked(reasons.values())} ({first}): {become}; 'tumorscope audit' lists them"
