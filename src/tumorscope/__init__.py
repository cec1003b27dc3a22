"""Brain-tumour classification on MRI slices, with numbers that can be believed.

The walk of the data: read → store → audit → split → train → bundle → evaluate → export → predict

    >>> import tumorscope
    >>> run = tumorscope.train(data="slices/", recipe="resnet18")   # doctest: +SKIP
    >>> run.results.accuracy.value                                  # doctest: +SKIP
    0.93

Research software, not a medical device.
"""

from typing import TYPE_CHECKING, Any

from tumorscope._version import __version__
from tumorscope.errors import MissingExtra, TumorscopeError

if TYPE_CHECKING:
    from tumorscope.assess import evaluate
    from tumorscope.catalogue import fetch_set
    from tumorscope.convert import Exported, export_run
    from tumorscope.disputed import review
    from tumorscope.folds import Folds, train_folds
    from tumorscope.predict import Predictor
    from tumorscope.prepare import add_lineage, audit, split
    from tumorscope.several import Series, compare, train_seeds
    from tumorscope.walk import Run, demo, train

__all__ = [
    "Exported",
    "Folds",
    "Predictor",
    "Run",
    "Series",
    "TumorscopeError",
    "__version__",
    "add_lineage",
    "audit",
    "compare",
    "demo",
    "evaluate",
    "export_run",
    "fetch_set",
    "review",
    "split",
    "train",
    "train_folds",
    "train_seeds",
]

_HOMES = {
    "Exported": "tumorscope.convert",
    "Folds": "tumorscope.folds",
    "Predictor": "tumorscope.predict",
    "Run": "tumorscope.walk",
    "Series": "tumorscope.several",
    "add_lineage": "tumorscope.prepare",
    "audit": "tumorscope.prepare",
    "compare": "tumorscope.several",
    "demo": "tumorscope.walk",
    "evaluate": "tumorscope.assess",
    "export_run": "tumorscope.convert",
    "fetch_set": "tumorscope.catalogue",
    "review": "tumorscope.disputed",
    "split": "tumorscope.prepare",
    "train": "tumorscope.walk",
    "train_folds": "tumorscope.folds",
    "train_seeds": "tumorscope.several",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import tumorscope` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tumorscope' has no attribute '{name}'")
    from importlib import import_module  # noqa: PLC0415 (kept out of the namespace)

    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tumorscope"):
            raise
        raise MissingExtra(f"tumorscope {name}", "train") from error


def __dir__() -> list[str]:
    return list(__all__)
