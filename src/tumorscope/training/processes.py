"""Several processes that train one model together, as `torchrun` starts them.

Without `torchrun` there is one process, which leads, and everything here is free.
"""

import os
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from tumorscope.errors import UsageError

Value = TypeVar("Value")

# The leader reads the data while the others wait; torchrun ends them all if it fails.
PATIENCE = timedelta(days=1)


def join(devices: int, nodes: int, device: str) -> None:
    """Make this process one of those that `torchrun` started.

    Args:
        devices: processes on each machine, one a GPU where there are GPUs.
        nodes: machines.
        device: `cpu` or `cuda`.

    Raises:
        UsageError: `torchrun` started another number of processes, or none.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != devices * nodes:
        raise UsageError(
            f"devices={devices} and nodes={nodes} make {devices * nodes} processes, but there are "
            f"{started}: start them with 'torchrun --nnodes {nodes} --nproc-per-node {devices} "
            "-m tumorscope train …', and give --devices and --nodes as they are started."
        )
    if started == 1 or _together():
        return
    if device == "mps":
        raise UsageError("Several processes train on cpu or cuda, not on mps: give --device cpu.")
    backend = "nccl" if device == "cuda" else "gloo"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group(backend, timeout=PATIENCE)


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if _together() else 0


def count() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if _together() else 1


def local_count() -> int:
    """Return how many processes there are on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if _together() else 1


def leads() -> bool:
    """Say whether this is the process that writes and reports."""
    return rank() == 0


def wait() -> None:
    """Go on when every process has come here."""
    if count() > 1:
        distributed.barrier()


def from_leader(value: Value) -> Value:
    """Return the leader's value, in every process.

    Raises:
        UsageError: the leader has ended, having said why.
    """
    if count() == 1:
        return value
    values: list[Any] = [value]
    try:
        distributed.broadcast_object_list(values)
    except RuntimeError as error:  # each backend says in its own way that a connection is closed
        raise UsageError("the leading process has ended: see its message.") from error
    shared: Value = values[0]
    return shared


def summed(values: Tensor) -> Tensor:
    """Return the sum of all processes' values, in every process."""
    if count() > 1:
        values = values.clone()
        distributed.all_reduce(values)
    return values


def all_say(fine: bool, device: str) -> bool:
    """Say whether every process says yes."""
    return int(summed(torch.tensor(int(not fine), device=device))) == 0


def follow_leader(module: torch.nn.Module) -> None:
    """Give a module the leader's buffers, where each process has moved its own."""
    if count() > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)
