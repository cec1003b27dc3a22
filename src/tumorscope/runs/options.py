"""The options of a run and of an export, and the only place that holds their defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tumorscope.schema.grouping import ALL, GroupingRules
from tumorscope.schema.layout import UNSAID, LayoutOptions
from tumorscope.support.progress import Progress, default_progress

if TYPE_CHECKING:
    from tumorscope.grouping.choice import PartChoice
    from tumorscope.schema.card import Precision
    from tumorscope.schema.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The form that `export_run` writes a model in; it says what each means."""

    to: str
    precision: "Precision"
    licence: str | None = None
    data: Path | None = None
    force: bool = False

    @property
    def stated(self) -> dict[str, str]:
        """What the card of the export says differently from the original's."""
        licence = {"licence": self.licence} if self.licence else {}
        return {"precision": self.precision, **licence}


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The arguments that `train`, `train_seeds` and `train_folds` share, with their defaults.

    `tumorscope.train` says what each means.
    """

    data: str | Path
    recipe: "str | Path | Recipe" = "resnet18"
    overrides: Sequence[str] = ()
    out: str | Path | None = None
    partition: str | Path | None = None
    keep_test: bool = False
    published_split: bool = False
    published_validation: bool = False
    test_fold: int | None = None
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    loggers: Sequence[str] = ()
    figures: Sequence[str] = ()
    strict: bool = False
    layout: LayoutOptions = UNSAID
    grouping: GroupingRules = ALL
    overwrite: bool = False
    resume: bool = False
    progress: Progress | None = None

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Self:
        """Take the options out of a function's arguments, as `locals()` gives them."""
        return cls(**{field.name: arguments[field.name] for field in fields(cls)})

    @property
    def data_path(self) -> Path:
        """Where the data set is."""
        return Path(self.data)

    @property
    def reporter(self) -> Progress:
        """Where to report."""
        return self.progress or default_progress()

    @property
    def processes(self) -> int:
        """How many processes train together, on all machines."""
        return self.devices * self.nodes

    @property
    def parts(self) -> "PartChoice":
        """How the parts are chosen."""
        from tumorscope.grouping.choice import PartChoice  # noqa: PLC0415 (imports SciPy)

        return PartChoice(
            partition=Path(self.partition) if self.partition else None,
            keep_test=self.keep_test,
            published=self.published_split,
            published_validation=self.published_validation,
            test_fold=self.test_fold,
        )
