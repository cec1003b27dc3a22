"""One command line in several processes of this machine, as `torchrun` starts them."""

import logging
import os
import sys
from collections.abc import Sequence
from uuid import uuid4

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


def launch(arguments: Sequence[str], devices: int) -> int:
    """Run a command line of this package in several processes on this machine.

    Args:
        arguments: what follows the package's name.
        devices: how many processes, one a GPU where there are GPUs.

    Returns:
        The exit code of the first process to fail, 0 if none does.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // devices)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=devices,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "tumorscope", *arguments)
    except ChildFailedError as error:
        return int(error.get_first_failure()[1].exitcode)
    return 0
