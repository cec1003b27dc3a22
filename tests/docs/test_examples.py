"""The examples of the pages run, and the commands in them are commands that exist.

The snippets of the deployment pages are run by `tests/inference/test_deploy.py`.
"""

import ast
import inspect
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import typer.main

import tumorscope
from tests.docs.pages import DOCS, blocks, name_of, pages, spans, text_of
from tests.scans import write_series
from tumorscope.cli import app
from tumorscope.commands.folds import Folds
from tumorscope.commands.seeds import Series
from tumorscope.evaluation.seeds import summarize_seeds
from tumorscope.schema.summaries import FoldSummary

EXAMPLES = [path for path in pages() if path.parent != DOCS / "deploy" and blocks(path, "python")]

# What stands in an example, and what it is run with. Everything else is run as it stands.
PLACEHOLDERS = {
    "slices/": "the manifest of drawn slices",
    "slice.jpg": "one drawn slice",
    "study/": "a series as a scanner writes it",
    "runs/a": "a copy of a finished run",
    "runs/b": "another copy of it",
}
# These would train: their arguments are held against the signature, and a finished run comes back.
TRAINING = ("train", "train_seeds", "train_folds")

# Options of other programs that the pages name alone.
FOREIGN = {"--ignore-scripts"}
PLACES_OF_VERBS = {"COMMAND"}  # stand for any command


class Placed(ast.NodeTransformer):
    """Puts real inputs where an example has placeholders."""

    def __init__(self, inputs: dict[str, str]) -> None:
        self.inputs = inputs

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Replace a placeholder."""
        if isinstance(node.value, str) and node.value in self.inputs:
            return ast.copy_location(ast.Constant(self.inputs[node.value]), node)
        return node


@pytest.fixture
def inputs(phantoms: Path, tiny_run: tumorscope.Run, tmp_path: Path) -> dict[str, str]:
    """A real input for each placeholder."""
    for name in ("a", "b"):
        shutil.copytree(tiny_run.folder, tmp_path / "runs" / name)
    write_series(tmp_path / "study", "glioma", 1)
    found = {
        "study/": tmp_path / "study",
        "slices/": phantoms,
        "slice.jpg": min(phantoms.parent.rglob("*.png")),
        "runs/a": tmp_path / "runs" / "a",
        "runs/b": tmp_path / "runs" / "b",
    }
    assert set(found) == set(PLACEHOLDERS)
    return {name: str(path) for name, path in found.items()}


@pytest.fixture
def nothing_trains(tiny_run: tumorscope.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that train hold their arguments against the signature instead."""
    folder, results = tiny_run.folder, tiny_run.results
    summary = FoldSummary(
        summary=results.summary,
        classes=results.classes,
        leaks=results.leaks,
        pooled=results.all,
        clean=results.clean,
        folds={1: results.all.accuracy},
    )
    seeds = summarize_seeds((0, 1), [results] * 2, np.zeros((2, results.all.n), np.intp))
    answers = {
        "train": tiny_run,
        "train_seeds": Series(folder, (tiny_run,) * 2, seeds),
        "train_folds": Folds(folder, (tiny_run,), summary),
    }
    assert set(answers) == set(TRAINING)
    for name, answer in answers.items():
        monkeypatch.setattr(tumorscope, name, stand_in(getattr(tumorscope, name), answer))


def stand_in(function: Callable[..., Any], answer: object) -> Callable[..., object]:
    """What binds its arguments as a function does; data that is not there it passes on."""

    def call(*arguments: Any, **options: Any) -> object:
        bound = inspect.signature(function).bind(*arguments, **options)
        exists = Path(bound.arguments["data"]).exists()
        return answer if exists else function(*arguments, **options)

    return call


@pytest.mark.parametrize("page", EXAMPLES, ids=name_of)
@pytest.mark.usefixtures("nothing_trains")
def test_examples_run(
    page: Path, inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python of a page runs from top to bottom, with small inputs for its placeholders."""
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {"__name__": "example"}
    for number, code in enumerate(blocks(page, "python"), 1):
        tree = ast.fix_missing_locations(Placed(inputs).visit(ast.parse(code)))
        exec(compile(tree, f"{name_of(page)}, example {number}", "exec"), space)  # noqa: S102 (our own pages)


def test_every_placeholder_is_used() -> None:
    """No placeholder is in the table that no page has."""
    code = "".join("".join(blocks(page, "python")) for page in EXAMPLES)
    assert [name for name in PLACEHOLDERS if f'"{name}"' not in code] == []


def commands() -> dict[str, click.Command]:
    """Every command by what is typed after `tumorscope`, the whole under an empty name."""
    found: dict[str, click.Command] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        found[" ".join(words)] = command
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


def options(command: click.Command) -> set[str]:
    """The options of a command, each way of writing them."""
    own = {"-h", "--help"}
    for parameter in command.params:
        own |= {name for name in (*parameter.opts, *parameter.secondary_opts) if name[0] == "-"}
    return own


COMMANDS = commands()
LINE = re.compile(r"(?:^|[\s|])tumorscope ([^|#;>\n]+)")


def written_commands(page: Path) -> Iterator[str]:
    """What stands after `tumorscope` in the blocks and code spans of a page."""
    texts = [code.replace("\\\n", " ") for code in blocks(page)]
    for text in (*texts, *spans(page)):
        for found in LINE.finditer(text):
            yield found[1].strip()


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_written_commands_exist(page: Path) -> None:
    """Each `tumorscope VERB --option` in a page is a verb and an option of the command line."""
    for text in written_commands(page):
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
        verb = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
        if verb[0] == "-":
            verb = ""
        elif verb in PLACES_OF_VERBS or not re.fullmatch(r"[a-z ]+", verb):
            continue
        assert verb in COMMANDS, f"{name_of(page)}: there is no command in 'tumorscope {text}'"
        for word in words:
            if word.startswith("--") or re.fullmatch("-[a-z]", word):
                option = word.partition("=")[0]
                where = f"{name_of(page)}: 'tumorscope {verb}' has no {option}"
                assert option in options(COMMANDS[verb]), where


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_options_written_alone_exist(page: Path) -> None:
    """Each option that a page names without its command belongs to some command."""
    known = set().union(*map(options, COMMANDS.values())) | FOREIGN
    named = {span.split()[0].partition("=")[0] for span in spans(page) if span.startswith("--")}
    assert named <= known


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_and_option_is_documented(verb: str) -> None:
    """The page on the command line has a section for each command, which names its options."""
    text = text_of(DOCS / "reference" / "command-line.md")
    sections = dict(part.split("\n", 1) for part in f"\n{text}".split("\n## ")[1:])
    shared = text.split("\n## ")[0]
    section = sections[f"tumorscope {verb}"] if verb else shared
    named = set(re.findall(r"`(--?[a-z][a-z-]*)`", section))
    named |= {word for span in re.findall(r"`([^`]+)`", section) for word in span.split()}
    everywhere = {name for name in ("-h", "--help", "-q") if f"{name}`" in shared}
    if verb in ("audit", "split", "train", "evaluate", "layouts"):
        told = shared.split("take what a layout leaves open")[1]
        everywhere |= set(re.findall(r"`(--[a-z-]+)`", told))
    assert options(COMMANDS[verb]) <= named | everywhere


def test_no_section_for_a_command_that_is_gone() -> None:
    """Each section of the page on the command line is about a command, and names its options."""
    text = text_of(DOCS / "reference" / "command-line.md")
    for part in text.split("\n## ")[1:]:
        title, section = part.split("\n", 1)
        own = COMMANDS[title.removeprefix("tumorscope ")]
        cells = [
            re.findall(r"`(--[a-z-]+)`", row) for row in section.splitlines() if row[:3] == "| `"
        ]
        assert {name for cell in cells for name in cell[:2]} <= options(own), title
