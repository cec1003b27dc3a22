"""Memory for decoding is shared by all workers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tumorscope.data.read.budget import PixelBudget


@pytest.mark.parametrize(("pixels", "together"), [(6, 1), (3, 3), (1, 10), (25, 1)])
def test_no_more_is_decoded_at_once_than_there_is_room(pixels: int, together: int) -> None:
    """Large images one after another, small ones side by side, one beyond all room alone."""
    budget, lock, inside = PixelBudget(10), threading.Lock(), 0
    most = 0

    def decode(_: int) -> None:
        nonlocal inside, most
        with budget.taking(pixels):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(decode, range(36)))
    assert 1 <= most <= together


def test_room_is_given_back_where_decoding_fails() -> None:
    """An image that is damaged takes nothing from those after it."""
    budget = PixelBudget(10)
    for _ in range(3):
        with pytest.raises(ValueError, match="damaged"), budget.taking(10):
            raise ValueError("damaged")
    with budget.taking(10):
        pass
