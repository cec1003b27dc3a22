"""The time left, against recorded timings of real work."""

import json
from pathlib import Path

import pytest

from tumorscope.support.pace import Pace

RECORDED = json.loads(Path(__file__).with_name("recorded_paces.json").read_text())
FACTOR, SHORT = 1.5, 1.0  # seconds: nobody minds a second


@pytest.mark.parametrize("recorded", RECORDED, ids=[one["title"] for one in RECORDED])
def test_time_left_is_right_within_half(recorded: dict[str, object]) -> None:
    """From a tenth of the work on, but for a second; recorded on a machine that was else idle."""
    now, told = 0.0, 0
    total, end, moments = (recorded[name] for name in ("total", "end", "moments"))
    assert isinstance(total, int)
    assert isinstance(end, float)
    assert isinstance(moments, list)
    pace = Pace(total, clock=lambda: now)
    for now, amount in moments:
        pace.advance(amount)
        if pace.remaining is None or pace.done < total / 10:
            continue
        told, left = told + 1, end - now
        assert left / FACTOR - SHORT <= pace.remaining <= left * FACTOR + SHORT, (now, left)
    assert told > 5


def test_nothing_is_foretold_before_there_is_enough_to_tell() -> None:
    """Neither by ten checks that take as long as they take, nor without a total."""
    seconds = iter(range(100))
    few, endless = (Pace(total, clock=lambda: float(next(seconds))) for total in (10, None))
    for _ in range(9):
        few.advance(1)
        assert few.remaining is None
    for _ in range(20):
        endless.advance(1)
    assert endless.remaining is None
    assert endless.rate == pytest.approx(1.0)
