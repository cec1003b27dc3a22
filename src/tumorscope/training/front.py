"""What a frozen front makes of each image and view: computed once, kept on disk for a stage."""

import errno
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tumorscope.model import Classifier, Halves, split_trunk
from tumorscope.model.augmentation import augment, draw_uniforms
from tumorscope.schema.recipe import Stage
from tumorscope.support.pace import size
from tumorscope.training import processes
from tumorscope.training.context import TrainingContext
from tumorscope.training.data import Slices
from tumorscope.training.runtime import fastest_front

DTYPES = {"half": np.float16, "single": np.float32}
BATCH = 32
GIGABYTE = 1e9
RESERVE = 5e8  # bytes that are left free on the disk


class FrontOutputs:
    """The outputs of a frozen front for some rows of a store.

    Attributes:
        views: how many there are of a training row; a validation row has one.
    """

    def __init__(
        self, views: int, places: dict[int, int], values: Sequence[NDArray[np.floating]]
    ) -> None:
        self.views = views
        self._places = places
        self._values = values  # an array for each process that made some, dealt in turn

    def read(self, rows: Sequence[int], view: int) -> Tensor:
        """Return the outputs of some rows in one view, float32, shape (n, …)."""
        numbers = [divmod(self._places[row] + view, len(self._values)) for row in rows]
        return torch.from_numpy(np.stack([self._values[n][i] for i, n in numbers])).float()


@contextmanager
def front_outputs(
    model: Classifier, data: Slices, stage: Stage, context: TrainingContext
) -> Iterator[FrontOutputs | None]:
    """Compute and keep the outputs of a stage's frozen front; remove them at the end.

    Args:
        model: its trainable blocks are the stage's.
        data: the rows that train and validate, and the recipe.
        stage: its views.
        context: the run's folder, where they lie while the stage runs, and the device.

    Yields:
        The outputs; None where the stage has no views, no frozen front, too many outputs for the
        limit or the disk, or answers averaged over mirror images.
    """
    folder = context.folder / "checkpoints" / "front"
    if processes.leads():
        shutil.rmtree(folder, ignore_errors=True)  # what a killed run left
    processes.wait()
    if stage.views is None:
        yield None
        return
    halves = split_trunk(model.to(context.device), data.recipe.image_size)
    if halves is None:
        yield None
        return
    try:
        yield _compute(halves, data, stage.views, folder, context)
        processes.wait()  # until none reads them
    finally:
        if processes.leads():
            shutil.rmtree(folder, ignore_errors=True)


def _compute(
    halves: Halves, data: Slices, views: int, folder: Path, context: TrainingContext
) -> FrontOutputs | None:
    """Return the outputs, None where they take more than they may."""
    wanted = [(int(row), view) for row in data.training for view in range(views)]
    wanted += [(int(row), 0) for row in data.validation]
    recipe, device, progress = data.recipe, context.device, context.progress
    side = recipe.image_size
    with torch.inference_mode():
        shape = halves.front(torch.zeros(1, 1, side, side, device=device)).shape[1:]
    dtype = DTYPES[recipe.cache_precision]
    taken = len(wanted) * shape.numel() * np.dtype(dtype).itemsize
    folder.mkdir(parents=True, exist_ok=True)
    free = processes.from_leader(shutil.disk_usage(folder).free - RESERVE)
    allowed = recipe.cache_limit * GIGABYTE
    if taken > min(allowed, free):
        limit = "cache_limit" if allowed < free else "free space on the disk"
        progress.say(
            f"The outputs of the frozen layers would take {size(taken)}, over the "
            f"{size(min(allowed, free))} of {limit}: they are computed every epoch."
        )
        return None
    progress.say(f"The outputs of the frozen layers take {size(taken)} of disk for this stage.")
    paths = [folder / f"outputs-{number}.npy" for number in range(processes.count())]
    own = processes.rank()
    try:
        _fill(paths[own], halves, data, wanted[own :: len(paths)], context)
        fits = True
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        fits = False
    if not processes.all_say(fits, device):
        progress.say("No space is left for the outputs of the frozen layers: computed every epoch.")
        return None
    places: dict[int, int] = {}
    for number, (row, _) in enumerate(wanted):
        places.setdefault(row, number)
    values = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    return FrontOutputs(views, places, values)


def _fill(
    path: Path,
    halves: Halves,
    data: Slices,
    wanted: Sequence[tuple[int, int]],
    context: TrainingContext,
) -> None:
    """Write the outputs of rows and views, in their order, as one `.npy` array."""
    recipe, device, progress = data.recipe, context.device, context.progress
    dtype = np.dtype(DTYPES[recipe.cache_precision])
    store = data.batches.store
    run = fastest_front(halves.front, recipe, device, BATCH, progress)
    with path.open("wb") as file, progress.task("frozen layers", len(wanted)) as task:
        for start in range(0, len(wanted), BATCH):
            rows, views = np.array(wanted[start : start + BATCH]).T
            pixels = torch.from_numpy(store.pixels(rows)).unsqueeze(1).to(device).float()
            for view in np.unique(views):
                chosen = torch.from_numpy(np.flatnonzero(views == view)).to(device)
                drawn = view_uniforms(recipe.seed, int(view), len(store))
                if drawn is not None:
                    own = drawn[rows[views == view]].to(device)
                    pixels[chosen] = augment(pixels[chosen], own, recipe.augment)
            values = run(pixels).contiguous().cpu().numpy().astype(dtype)
            if start == 0:
                header = {"descr": dtype.str, "fortran_order": False}
                shape = (len(wanted), *values.shape[1:])
                np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
            file.write(values.tobytes())
            task.advance(len(rows))


@lru_cache(maxsize=32)
def view_uniforms(seed: int, view: int, rows: int) -> Tensor | None:
    """Return the random numbers of all rows for one view; None for the plain image."""
    return draw_uniforms(seed, view, rows) if view else None
