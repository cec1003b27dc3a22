"""Training: the only importer of Lightning."""

from tumorscope.model.torchvision import declare_missing_operators

declare_missing_operators()  # torchmetrics, which Lightning imports, imports torchvision

from tumorscope.training import processes  # noqa: E402
from tumorscope.training.context import TrainingContext  # noqa: E402
from tumorscope.training.device import resolve_device, settle_precision  # noqa: E402
from tumorscope.training.fit import TrainedModel, fit  # noqa: E402
from tumorscope.training.loggers import check_loggers, open_loggers  # noqa: E402
from tumorscope.training.members import fit_members  # noqa: E402
from tumorscope.training.stages import other_stages_answers  # noqa: E402

__all__ = [
    "TrainedModel",
    "TrainingContext",
    "check_loggers",
    "fit",
    "fit_members",
    "open_loggers",
    "other_stages_answers",
    "processes",
    "resolve_device",
    "settle_precision",
]
