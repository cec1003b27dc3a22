"""Batches are the same from the store and from a device that holds all of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.training.data import Batches, StoreBatches, resident_pixels


def test_resident_pixels_give_the_same_batches(phantoms: Path) -> None:
    """Whether they are read from the memory map or taken on the device."""
    store = open_store(read_manifest(phantoms), 32)
    labels = np.arange(len(store))
    whole = torch.from_numpy(store.pixels(labels)).unsqueeze(1)
    read, held = StoreBatches(store, labels), StoreBatches(store, labels, whole)
    for rows in Batches(labels, 5, [0]):
        for one, other in zip(read[rows], held[rows], strict=True):
            assert torch.equal(one, other)


def test_a_processor_reads_from_the_memory_map(phantoms: Path) -> None:
    """Its memory is the page cache, where the store lies already."""
    assert resident_pixels(open_store(read_manifest(phantoms), 32), "cpu") is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_holds_what_fits(phantoms: Path) -> None:
    """All pixels, as the store has them."""
    store = open_store(read_manifest(phantoms), 32)
    held = resident_pixels(store, "cuda")
    assert held is not None
    assert np.array_equal(held.squeeze(1).cpu().numpy(), store.pixels(np.arange(len(store))))
