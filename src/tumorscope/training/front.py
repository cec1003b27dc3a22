"""What a frozen front makes of each image and view: computed once, kept on disk while needed."""

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tumorscope.model import Classifier, between, front_of, frozen_depth, split_trunk
from tumorscope.model.augmentation import augment, draw_uniforms
from tumorscope.schema.recipe import Recipe
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
        return self.read_views(np.asarray(rows), np.full(len(rows), view))

    def read_views(self, rows: NDArray[np.intp], views: NDArray[np.intp]) -> Tensor:
        """Return the outputs of some rows, each in its view, float32, shape (n, …)."""
        pairs = zip(rows.tolist(), views.tolist(), strict=True)
        numbers = [divmod(self._places[row] + view, len(self._values)) for row, view in pairs]
        return torch.from_numpy(np.stack([self._values[n][i] for i, n in numbers])).float()


Source = Callable[[NDArray[np.intp], NDArray[np.intp]], Tensor]  # rows and views to what is run


class Fronts:
    """The outputs of the frozen fronts of a run's stages.

    Where a later stage has a shorter front and the same views, its outputs are computed first and
    kept: those of the stage at hand then need only the layers in between.
    """

    def __init__(self, model: Classifier, recipe: Recipe, context: TrainingContext) -> None:
        """Start with nothing kept; what a killed run left is removed.

        Args:
            model: the network that trains.
            recipe: its stages and limits.
            context: the run's folder, where outputs lie while a stage needs them, and the device.
        """
        self._model = model
        self._recipe = recipe
        self._context = context
        self._folder = context.member_folder / "checkpoints" / "front"
        self._kept: dict[int, FrontOutputs] = {}  # by the depth of the front
        self._clear(but=None)

    @contextmanager
    def of_stage(self, number: int, data: Slices) -> Iterator[FrontOutputs | None]:
        """Compute and keep the outputs of a stage's front; remove them at the end.

        Args:
            number: of the stage, from 0; the model's trainable blocks are the stage's.
            data: the rows that train and validate.

        Yields:
            The outputs; None where the stage has no views or no frozen front, or where there are
            too many outputs for the limit or the disk.
        """
        stages = self._recipe.stages
        views = stages[number].views
        if views is None or split_trunk(self._on_device, self._recipe.image_size) is None:
            yield None
            return
        depth = frozen_depth(self._model)
        later = next((n for n in range(number + 1, len(stages)) if stages[n].views == views), None)
        shared = None if later is None else self._depth_of(later, back_to=number)
        try:
            yield self._outputs(depth, shared, views, data)
            processes.wait()  # until none reads them
        finally:
            self._clear(but=shared)

    @property
    def _on_device(self) -> Classifier:
        return self._model.to(self._context.device)

    def _depth_of(self, number: int, back_to: int) -> int | None:
        """Return how deep another stage's front is, None where it is none or no shorter one."""
        stages = self._recipe.stages
        depth = frozen_depth(self._model)
        self._model.set_trainable(stages[number].train, stages[number].statistics)
        other = frozen_depth(self._model)
        can = split_trunk(self._model, self._recipe.image_size) is not None
        self._model.set_trainable(stages[back_to].train, stages[back_to].statistics)
        return other if can and other < depth else None

    def _clear(self, but: int | None) -> None:
        """Remove all outputs but those of one depth."""
        self._kept = {depth: kept for depth, kept in self._kept.items() if depth == but}
        if processes.leads():
            if not self._kept:
                shutil.rmtree(self._folder, ignore_errors=True)
            else:
                for path in self._folder.iterdir():
                    if not path.name.startswith(f"{but}-"):
                        path.unlink()
        processes.wait()

    def _outputs(
        self, depth: int, shared: int | None, views: int, data: Slices
    ) -> FrontOutputs | None:
        """Return the outputs of a front, from kept ones where there are any; None past a limit."""
        if depth in self._kept:
            self._context.progress.say("The outputs of the frozen layers are those kept before.")
            return self._kept[depth]
        wanted = [(int(row), view) for row in data.training for view in range(views)]
        wanted += [(int(row), 0) for row in data.validation]
        reason = ""
        for depths in ([shared, depth], [depth]):
            ends = [end for end in depths if end is not None]
            reason = self._refusal(ends, len(wanted))
            if not reason:
                if self._compute_all(ends, views, wanted, data):
                    return self._kept[depth]
                reason = "No space is left for the outputs of the frozen layers"
                self._clear(but=None)
        self._context.progress.say(f"{reason}: they are computed every epoch.")
        return None

    def _refusal(self, ends: Sequence[int], count: int) -> str:
        """Say why the outputs of some depths do not fit; say to the user how much they take."""
        recipe, progress = self._recipe, self._context.progress
        one = torch.zeros(1, 1, recipe.image_size, recipe.image_size, device=self._context.device)
        with torch.inference_mode():
            numbers = [front_of(self._on_device, end)(one).numel() for end in ends]
        taken = count * sum(numbers) * np.dtype(DTYPES[recipe.cache_precision]).itemsize
        self._folder.mkdir(parents=True, exist_ok=True)
        free = processes.from_leader(shutil.disk_usage(self._folder).free - RESERVE)
        allowed = recipe.cache_limit * GIGABYTE
        if taken > min(allowed, free):
            limit = "cache_limit" if allowed < free else "free space on the disk"
            return (
                f"The outputs of the frozen layers would take {size(taken)}, over the "
                f"{size(min(allowed, free))} of {limit}"
            )
        stage = "this stage" if len(ends) == 1 else "this stage and a later one"
        progress.say(f"The outputs of the frozen layers take {size(taken)} of disk for {stage}.")
        return ""

    def _compute_all(
        self, ends: Sequence[int], views: int, wanted: Sequence[tuple[int, int]], data: Slices
    ) -> bool:
        """Compute the outputs of each depth from those of the one before; say if the disk lasts."""
        return all(
            self._compute(before, end, views, wanted, data) for before, end in pairwise([0, *ends])
        )

    def _compute(
        self, before: int, end: int, views: int, wanted: Sequence[tuple[int, int]], data: Slices
    ) -> bool:
        """Compute the outputs of a depth, from those of a smaller one where it is not 0."""
        own, of = processes.rank(), processes.count()
        paths = [self._folder / f"{end}-{number}.npy" for number in range(of)]
        source: Source = self._kept[before].read_views if before else self._pixels(data)
        layers = between(self._model, before, end) if before else front_of(self._model, end)
        try:
            self._fill(paths[own], layers, source, wanted[own::of])
            fits = True
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            fits = False
        if not processes.all_say(fits, self._context.device):
            return False
        places: dict[int, int] = {}
        for number, (row, _) in enumerate(wanted):
            places.setdefault(row, number)
        values = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
        self._kept[end] = FrontOutputs(views, places, values)
        return True

    def _pixels(self, data: Slices) -> Source:
        """Return what gives the pixels of some rows, each in its view."""
        recipe, device, store = self._recipe, self._context.device, data.batches.store

        def read(rows: NDArray[np.intp], views: NDArray[np.intp]) -> Tensor:
            """Augment the rows of each view as its uniforms say; validate what is answered."""
            pixels = torch.from_numpy(store.pixels(rows)).unsqueeze(1).to(device).float()
            watched = np.flatnonzero(np.isin(rows, data.validation))
            pixels[watched] = self._model.prepared(pixels[watched])
            for view in np.unique(views):
                chosen = torch.from_numpy(np.flatnonzero(views == view)).to(device)
                drawn = view_uniforms(recipe.seed, int(view), len(store))
                if drawn is not None:
                    own = drawn[rows[views == view]].to(device)
                    pixels[chosen] = augment(pixels[chosen], own, recipe.augment)
            return pixels

        return read

    def _fill(
        self, path: Path, layers: nn.Module, source: Source, wanted: Sequence[tuple[int, int]]
    ) -> None:
        """Write what layers give for rows and views, in their order, as one `.npy` array."""
        device, progress = self._context.device, self._context.progress
        dtype = np.dtype(DTYPES[self._recipe.cache_precision])
        run = None
        with path.open("wb") as file, progress.task("frozen layers", len(wanted)) as task:
            for start in range(0, len(wanted), BATCH):
                rows, views = np.array(wanted[start : start + BATCH]).T
                given = source(rows, views)
                if run is None:
                    run = fastest_front(layers, self._recipe, device, given.cpu(), progress)
                values = run(given.to(device)).contiguous().cpu().numpy().astype(dtype)
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
