"""The command line: parse, call, print. Whatever takes long to import is imported in commands."""

import io
import os
import sys
import traceback
import warnings

import typer

from tumorscope.cli import (  # noqa: F401  (each adds its verbs)
    archive,
    data,
    evaluation,
    explain,
    inference,
    scans,
    serve,
    training,
    watch,
)
from tumorscope.cli.app import WALK, app
from tumorscope.errors import TumorscopeError
from tumorscope.support.files import drop_output

__all__ = ["WALK", "app", "main"]


def main() -> None:
    """Run the command line: a user's mistake ends in one sentence and exit code 2."""
    warnings.filterwarnings("ignore", module="PIL")  # odd metadata; the pixels decide
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that its encoding lacks
    try:
        app()
    except TumorscopeError as error:
        _end(error, str(error), error.exit_code)
    except KeyboardInterrupt as error:
        _end(error, "Stopped: the same command begins again; finished files are kept.", 130)
    except MemoryError as error:
        _end(error, "Out of memory: lower image_size or batch_size.", 2)
    except OSError as error:  # of a place that no command has explained, standard output among them
        drop_output()
        place = error.filename or "The output"
        _end(error, f"{place} cannot be read or written ({error.strerror}).", 2)


def _end(error: BaseException, sentence: str, exit_code: int) -> None:
    if os.environ.get("TUMORSCOPE_DEBUG"):
        traceback.print_exception(error)
    own = os.environ.get("RANK", "0")  # which of the processes that train together says it
    name = "tumorscope" if own == "0" else f"tumorscope, process {own}"
    from tumorscope.support.terminal import wrapped  # noqa: PLC0415 (only where something failed)

    typer.echo(wrapped(f"{name}: {sentence}", sys.stderr), err=True)
    sys.exit(exit_code)
