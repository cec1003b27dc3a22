"""What is known of where images come from: patient, public set, leaks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.grouping.leaks import leaks_between
from tumorscope.grouping.survey import Survey
from tumorscope.records import Partition


@dataclass(frozen=True)
class Origins:
    """What else is known of the images of a data set, one entry a row.

    Attributes:
        leaking: which test images are not new to training or validation, as far as known.
        patients: whom each image belongs to; None where that is not known.
        sources: the known public set that each is a slice of.
        doubtful: which have another label there than here.
    """

    leaking: NDArray[np.bool_]
    patients: Sequence[str | None]
    sources: Sequence[str]
    doubtful: NDArray[np.bool_]


def image_origins(survey: Survey, partition: Partition) -> Origins:
    """Return what a survey knows of each image that an evaluation asks for."""
    parts = np.array(partition.parts)
    teaches = np.isin(parts, ("train", "validation"))  # what is in no part teaches nothing
    matches = survey.matches
    sources = [matches[n].set_name if n in matches else "none known" for n in range(len(parts))]
    doubtful = np.zeros(len(parts), np.bool_)
    doubtful[[match.row for match in survey.disagreements]] = True
    leaking = leaks_between(survey, (~teaches).astype(np.intp), parts == "test").any
    return Origins(leaking, survey.patients, sources, doubtful)
