"""Verbs that use a model: predict."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import AsJson, Debug
from tumorscope.errors import TumorscopeError

if TYPE_CHECKING:
    from tumorscope.records import Prediction


@app.command()
def predict(
    bundle: Annotated[str, typer.Argument(help="A run, or its bundle.")],
    images: Annotated[list[str], typer.Argument(help="Image files or folders of them.")],
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Classify images: the class and the probability of each class."""
    from tumorscope.predict import Predictor, list_inputs  # noqa: PLC0415
    from tumorscope.terminal import show, show_table  # noqa: PLC0415

    predictor = Predictor.load(bundle)
    answers = list(predictor.predict_files(list_inputs(images)))
    if not answers:
        raise TumorscopeError(f"There are no files in {', '.join(images)}: give images.")
    if as_json:
        show(json.dumps([asdict(answer) for answer in answers], indent=2, ensure_ascii=False))
    else:
        classes = predictor.card.classes
        show_table(
            ("image", "class", *classes), [_answer_row(answer, classes) for answer in answers]
        )
    failed = sum(answer.error is not None for answer in answers)
    if failed:
        typer.echo(f"{failed} of {len(answers)} files could not be read.", err=True)
        raise typer.Exit(1)


def _answer_row(answer: "Prediction", classes: tuple[str, ...]) -> tuple[str, ...]:
    if answer.error is not None:
        return (answer.image, f"error: {answer.error}", *("" for _ in classes))
    values = (f"{answer.probabilities[name]:.3f}" for name in classes)
    return (answer.image, answer.label, *values)
