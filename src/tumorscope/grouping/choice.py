"""How the parts of a run are chosen."""

from dataclasses import dataclass
from pathlib import Path

from tumorscope.errors import UsageError
from tumorscope.grouping.partition import Mode, fold_partition, make_partition
from tumorscope.grouping.partition_file import read_partition_file
from tumorscope.grouping.survey import Survey, held_out
from tumorscope.records import Partition
from tumorscope.schema.recipe import Recipe


@dataclass(frozen=True)
class PartChoice:
    """How a run's parts are chosen.

    Attributes:
        partition: a partition file; else the parts are drawn here.
        keep_test: honour the published test part and take out what leaks into it.
        published: use the published split as it is.
        published_validation: use a published pair of training and validation, and draw a test part
            from the former.
        test_fold: test on this fold of the partition file or of the manifest.
    """

    partition: Path | None = None
    keep_test: bool = False
    published: bool = False
    published_validation: bool = False
    test_fold: int | None = None

    def check(self) -> None:
        """Refuse choices that exclude each other.

        Raises:
            UsageError: more than one of them was made.
        """
        chosen = {
            "--keep-test": self.keep_test,
            "--published-split": self.published,
            "--published-validation": self.published_validation,
        }
        given = [option for option, wanted in chosen.items() if wanted]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude each other: choose one.")
        if self.partition and given:
            raise UsageError(f"--partition says where each image goes: leave {given[0]} out.")
        if self.test_fold is not None and given:
            raise UsageError(f"--test-fold makes a test part: leave {given[0]} out.")


def choose_partition(survey: Survey, recipe: Recipe, choice: PartChoice) -> Partition:
    """Return the parts of a run.

    Raises:
        DataError: the data cannot be divided so.
    """
    store = survey.store
    if choice.partition is not None:
        file = read_partition_file(choice.partition, store)
        if choice.test_fold is None:
            return file.partition()
        groups, folds = survey.groups(), list(file.folds or [None] * len(store))
    else:
        groups, folds = survey.groups(), [row.fold for row in survey.rows]
    if choice.test_fold is not None:
        return fold_partition(
            survey.rows,
            groups,
            folds,
            test_fold=choice.test_fold,
            seed=recipe.seed,
            validation_share=recipe.validation_share,
        )
    return make_partition(
        survey.rows,
        groups,
        seed=recipe.seed,
        mode=_mode(survey, recipe, choice),
        validation_share=recipe.validation_share,
        test_share=recipe.test_share,
    )


def _mode(survey: Survey, recipe: Recipe, choice: PartChoice) -> Mode:
    if choice.keep_test:
        return "keep-test"
    if choice.published_validation:
        return "published-validation"
    asked = recipe.published_split and held_out(survey.rows) is not None
    return "published" if choice.published or asked else "redraw"
