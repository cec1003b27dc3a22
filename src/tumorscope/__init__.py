"""Brain-tumour classification on MRI slices, evaluated without leaks.

The walk of the data:

    read → audit → split → store → train → evaluate → explain → bundle → export → predict → serve

    >>> import tumorscope
    >>> run = tumorscope.train(data="slices/", recipe="resnet18")   # doctest: +SKIP
    >>> run.results.all.accuracy.value                                  # doctest: +SKIP
    0.93

Research software, not a medical device.
"""

from typing import TYPE_CHECKING, Any

from tumorscope._version import __version__
from tumorscope.errors import MissingExtra, TumorscopeError
from tumorscope.support.telemetry import turn_off

if TYPE_CHECKING:
    from tumorscope.commands.audit import audit
    from tumorscope.commands.compare import compare
    from tumorscope.commands.deidentify import deidentify
    from tumorscope.commands.demo import demo
    from tumorscope.commands.evaluate import evaluate
    from tumorscope.commands.export import Exported, export_run
    from tumorscope.commands.folds import Folds, train_folds
    from tumorscope.commands.layouts import describe_layout
    from tumorscope.commands.lineage import add_lineage
    from tumorscope.commands.list_runs import list_runs
    from tumorscope.commands.review import review
    from tumorscope.commands.seeds import Series, train_seeds
    from tumorscope.commands.split import split
    from tumorscope.commands.train import train
    from tumorscope.commands.watch import watch
    from tumorscope.data.catalogue import fetch_set
    from tumorscope.data.scans.profile import DeidentifyOptions
    from tumorscope.inference.predict import Predictor
    from tumorscope.inference.series import predict_series
    from tumorscope.runs.execution import Run, load_run
    from tumorscope.schema.grouping import GroupingRules
    from tumorscope.schema.layout import LayoutOptions

__all__ = [
    "DeidentifyOptions",
    "Exported",
    "Folds",
    "GroupingRules",
    "LayoutOptions",
    "Predictor",
    "Run",
    "Series",
    "TumorscopeError",
    "__version__",
    "add_lineage",
    "audit",
    "compare",
    "deidentify",
    "demo",
    "describe_layout",
    "evaluate",
    "export_run",
    "fetch_set",
    "list_runs",
    "load_run",
    "predict_series",
    "review",
    "split",
    "train",
    "train_folds",
    "train_seeds",
    "watch",
]

_MODULES = {
    "DeidentifyOptions": "tumorscope.data.scans.profile",
    "Exported": "tumorscope.commands.export",
    "Folds": "tumorscope.commands.folds",
    "GroupingRules": "tumorscope.schema.grouping",
    "LayoutOptions": "tumorscope.schema.layout",
    "Predictor": "tumorscope.inference.predict",
    "Run": "tumorscope.runs.execution",
    "Series": "tumorscope.commands.seeds",
    "add_lineage": "tumorscope.commands.lineage",
    "audit": "tumorscope.commands.audit",
    "compare": "tumorscope.commands.compare",
    "deidentify": "tumorscope.commands.deidentify",
    "demo": "tumorscope.commands.demo",
    "describe_layout": "tumorscope.commands.layouts",
    "evaluate": "tumorscope.commands.evaluate",
    "export_run": "tumorscope.commands.export",
    "fetch_set": "tumorscope.data.catalogue",
    "list_runs": "tumorscope.commands.list_runs",
    "load_run": "tumorscope.runs.execution",
    "predict_series": "tumorscope.inference.series",
    "review": "tumorscope.commands.review",
    "split": "tumorscope.commands.split",
    "train": "tumorscope.commands.train",
    "train_folds": "tumorscope.commands.folds",
    "train_seeds": "tumorscope.commands.seeds",
    "watch": "tumorscope.commands.watch",
}

turn_off()  # before any of these modules imports a library that would report


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import tumorscope` is quick."""
    if name not in _MODULES:
        raise AttributeError(f"module 'tumorscope' has no attribute '{name}'")
    from importlib import import_module  # noqa: PLC0415 (kept out of the namespace)

    try:
        return getattr(import_module(_MODULES[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tumorscope"):
            raise
        raise MissingExtra(f"tumorscope {name}", "train") from error


def __dir__() -> list[str]:
    return list(__all__)
