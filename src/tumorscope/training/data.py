"""Batches from the store, in an order that follows from seed and epoch alone."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import lightning.pytorch as lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tumorscope.data.store import CHUNK, Store, batches
from tumorscope.records import Partition
from tumorscope.schema.recipe import Recipe
from tumorscope.training import processes

ORDER = 1  # keeps the draws for the order apart from others of the same seed and epoch


class Batch(NamedTuple):
    """Some images of the store.

    Attributes:
        pixels: uint8, shape (n, 1, side, side).
        labels: class numbers, int64, shape (n,).
        rows: row numbers in the store, int64, shape (n,).
    """

    pixels: Tensor
    labels: Tensor
    rows: Tensor


class StoreBatches(Dataset[Batch]):
    """A data set whose items are whole batches: an index is a list of row numbers.

    Attributes:
        resident: the pixels of all rows, where they lie on the device that trains.
    """

    def __init__(
        self, store: Store, labels: NDArray[np.intp], resident: Tensor | None = None
    ) -> None:
        self.store = store
        self.labels = labels
        self.resident = resident

    def __getitem__(self, rows: Sequence[int]) -> Batch:
        """Return the batch of these rows."""
        numbers = np.asarray(rows, dtype=np.int64)
        places, labels = torch.from_numpy(numbers), torch.from_numpy(self.labels[numbers])
        if self.resident is None:
            pixels = torch.from_numpy(self.store.pixels(numbers)).unsqueeze(1)
        else:
            pixels = self.resident[places.to(self.resident.device, non_blocking=True)]
        return Batch(pixels, labels, places)


def resident_pixels(store: Store, device: str) -> Tensor | None:
    """Return all pixels of a store on a GPU, if they take no more than half of its free memory.

    Returns:
        uint8, shape (rows, 1, side, side); None elsewhere, or where they do not fit.
    """
    shape = (len(store), 1, store.size, store.size)
    if device != "cuda" or 2 * math.prod(shape) > torch.cuda.mem_get_info()[0]:
        return None
    pixels = torch.empty(shape, dtype=torch.uint8, device=device)
    for rows in batches(len(store), CHUNK):
        pixels[rows] = torch.from_numpy(store.pixels(rows)).unsqueeze(1).to(device)
    return pixels


class Batches(Sampler[list[int]]):
    """Row numbers in batches, shuffled where a seed is given.

    Several processes share each batch, which is the same whatever their number.
    """

    def __init__(self, rows: NDArray[np.intp], size: int, seed: Sequence[int] | None) -> None:
        self.rows = rows if seed is None else np.random.default_rng(seed).permutation(rows)
        self.size = size
        # Batch normalisation cannot learn from one image; such a remainder waits an epoch.
        self.drop = seed is not None and 0 < len(rows) % size < 2 * processes.count()

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size) - self.drop

    def __iter__(self) -> Iterator[list[int]]:
        for number in range(len(self)):
            batch = self.rows[number * self.size : (number + 1) * self.size]
            yield batch[processes.rank() :: processes.count()].tolist()


class Slices(lightning.LightningDataModule):
    """The training and validation parts of a store."""

    def __init__(
        self, batches: StoreBatches, partition: Partition, recipe: Recipe, first_epoch: int = 0
    ) -> None:
        """Take the rows of two parts.

        Args:
            batches: the pixels and labels of all rows.
            partition: which rows train and which validate.
            recipe: its batch size and seed.
            first_epoch: how many epochs earlier stages took; it counts into the order.
        """
        super().__init__()
        self.batches = batches
        self.training = partition.where("train")
        self.validation = partition.where("validation")
        self.recipe = recipe
        self._first_epoch = first_epoch

    @property
    def steps(self) -> int:
        """The number of batches in a training epoch."""
        return len(Batches(self.training, self.recipe.batch_size, [0]))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of one epoch; Lightning asks for a new one each epoch."""
        epoch = self._first_epoch + (self.trainer.current_epoch if self.trainer else 0)
        return self._loader(self.training, [self.recipe.seed, ORDER, epoch])

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the validation part, in the store's order."""
        return self._loader(self.validation, None)

    def _loader(self, rows: NDArray[np.intp], seed: Sequence[int] | None) -> DataLoader[Batch]:
        sampler = Batches(rows, self.recipe.batch_size, seed)
        return DataLoader(self.batches, sampler=sampler, batch_size=None)
