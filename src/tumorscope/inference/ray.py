"""Scoring an archive on Ray: the same parts and answers, by workers on one machine or many."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from tumorscope.inference.archive import Chunk, answer_part
from tumorscope.inference.bundle import Runtime
from tumorscope.inference.predict import Predictor


class Worker:
    """What a worker does: it opens the model once and answers one part after another."""

    def __init__(self, bundle: str, runtime: Runtime | None) -> None:
        self._predictor = Predictor.load(bundle, runtime=runtime, threads=1)

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        """Answer a part and return its path."""
        path = Path(row["path"])
        if not path.is_file():  # a worker that was killed may have had it ready
            answer_part(Chunk(path, tuple(row["inputs"])), self._predictor, workers=1)
        return {"path": row["path"]}


def run_on_ray(
    bundle: str, parts: Iterator[Chunk], runtime: Runtime | None, workers: int | None
) -> Iterator[Chunk]:
    """Share the parts that are not there yet out among workers; all must see the same files.

    A worker that dies is started again, and what it had in hand is answered again.
    """
    listed = {str(part.path.resolve()): part for part in parts}
    missing = [path for path, part in listed.items() if not part.path.is_file()]
    yield from (part for path, part in listed.items() if path not in set(missing))
    if not missing:
        return
    _join_cluster()
    rows = [{"path": path, "inputs": list(listed[path].inputs)} for path in missing]
    most = workers or max(1, int(_resources().get("CPU", 1)))
    answered = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        Worker,  # type: ignore[arg-type]  # a class is allowed, and made once a worker
        fn_constructor_args=(str(Path(bundle).resolve()), runtime),
        concurrency=(1, min(most, len(rows))),
        num_cpus=1,
    )
    for row in answered.iter_rows():
        yield listed[row["path"]]


def _resources() -> dict[str, float]:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources


def _join_cluster() -> None:
    """Join the cluster that `RAY_ADDRESS` names, or start one on this machine."""
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
