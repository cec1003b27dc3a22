"""What the pages say of the package is there: names, fields, links and files."""

import re
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import tumorscope
from tests.docs.pages import BLOCK, DOCS, ROOT, name_of, pages, prose, spans, text_of
from tumorscope.schema.audit import Audit
from tumorscope.schema.comparison import ComparedRun, Comparison, RunPair
from tumorscope.schema.labels import CANONICAL, squeeze
from tumorscope.schema.recipe import Augment, Normalize, Recipe, Stage
from tumorscope.schema.summaries import FoldSummary, SeedSpread, SeedSummary

PATHS = re.compile(r"\btumorscope(?:\.[A-Za-z_]\w*)+")
FIELDS = DOCS / "reference" / "recipe-fields.md"
SUMMARIES = DOCS / "reference" / "summaries-json.md"
API = DOCS / "api"
WORDS = (
    *("Slice", "Series", "Patient", "Group", "Leak", "Control", "Interval", "Bundle", "Gate"),
    *("Partition", "Run", "Recipe", "Manifest", "Conformal set", "Fold", "Part", "Copy, near copy"),
)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_import_paths_exist(page: Path) -> None:
    """Each `tumorscope.x.y` in a page can be imported."""
    for path in sorted(set(PATHS.findall(text_of(page)))):
        assert resolved(path), f"{name_of(page)}: {path} cannot be imported"


def resolved(path: str) -> bool:
    """Whether a dotted path names a module, or something in one."""
    steps = path.split(".")
    for end in range(len(steps), 0, -1):
        try:
            found: ModuleType | Any = import_module(".".join(steps[:end]))
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("tumorscope"):
                raise
            continue
        for step in steps[end:]:
            if not hasattr(found, step):
                return False
            found = getattr(found, step)
        return True
    return False


def targets(page: Path) -> list[str]:
    """What a page's links and pictures lead to, but for addresses on the web."""
    text = re.sub(r"`[^`]*`", "", BLOCK.sub("", text_of(page)))
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in found if not target.startswith(("http:", "https:"))]


def anchors(page: Path) -> set[str]:
    """The anchors that code hosts and the site give a page's headings."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", text_of(page)), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link between pages leads to a file, and to a heading of it where it names one."""
    for target in targets(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_file(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{name_of(page)}: {target}"
        inside = page == ROOT / "README.md" or DOCS in file.parents
        assert inside, f"{name_of(page)}: {target} is no page of the site"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_named_files_exist(page: Path) -> None:
    """Each file of the repository that a page names is there."""
    pattern = re.compile(r"(?:tests|experiments|benchmarks|docs)/[\w/-]+\.\w+")
    for span in chain(spans(page), re.findall(r"python (\S+\.py)", text_of(page))):
        if pattern.fullmatch(span):
            assert (ROOT / span).is_file(), f"{name_of(page)}: {span}"


@pytest.mark.parametrize("name", tumorscope.__all__)
def test_public_names_are_documented(name: str) -> None:
    """The page on functions and classes has every public name."""
    text = text_of(API / "public.md")
    assert re.search(rf":: tumorscope\.{name}$", text, re.MULTILINE)


@pytest.mark.parametrize("package", ["schema", "metrics"])
def test_modules_are_documented(package: str) -> None:
    """The API page of a package has each of its modules."""
    folder = ROOT / "src" / "tumorscope" / package
    for file in folder.glob("*.py"):
        if file.stem != "__init__":
            line = f".. automodule:: tumorscope.{package}.{file.stem}\n"
            assert line in text_of(API / f"{package}.md")


def field_rows(page: Path) -> dict[str, str]:
    """The default of each field in the tables of the page on recipes."""
    rows: dict[str, str] = {}
    for line in text_of(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            rows |= dict.fromkeys(re.findall(r"`([\w.]+)`", cells[0]), cells[2])
    return rows


@pytest.mark.parametrize(
    ("part", "prefix"),
    [(Recipe, ""), (Stage, ""), (Augment, "augment."), (Normalize, "normalize.")],
)
def test_recipe_fields_are_documented(part: type[BaseModel], prefix: str) -> None:
    """Each field of a recipe is on its page, with its default."""
    rows = field_rows(FIELDS)
    for name, field in part.model_fields.items():
        assert prefix + name in rows, name
        said, default = rows[prefix + name], field.default
        if default is PydanticUndefined or isinstance(default, BaseModel) or not default:
            assert not re.search("[1-9]", said), name
        elif isinstance(default, str):
            assert said == f"`{default}`", name
        elif default is True:
            assert said == "`true`", name
        elif isinstance(default, tuple):
            assert said in ("0.5 each", "`all`"), name
        else:
            assert said.removesuffix(" each") == f"{default:g}", name


def test_no_recipe_field_is_invented() -> None:
    """The page on recipes names no field that is not in the schema."""
    known = {*Recipe.model_fields, *Stage.model_fields}
    known |= {f"augment.{name}" for name in Augment.model_fields}
    known |= {f"normalize.{name}" for name in Normalize.model_fields}
    assert set(field_rows(FIELDS)) <= known


@pytest.mark.parametrize(
    ("part", "page"),
    [
        *((part, SUMMARIES) for part in (SeedSummary, SeedSpread, FoldSummary)),
        *((part, SUMMARIES) for part in (Comparison, ComparedRun, RunPair)),
        (Audit, DOCS / "audit-json.md"),
    ],
)
def test_fields_of_files_are_documented(part: type[BaseModel], page: Path) -> None:
    """Each field of seeds, folds, comparisons and audits is on its page."""
    names = set(part.model_fields)
    for inner in part.model_json_schema().get("$defs", {}).values():
        if part is Audit:
            names |= set(inner["properties"])
    text = text_of(page)
    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_class_names_are_documented() -> None:
    """The page on class names has every spelling that is recognised, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", text_of(DOCS / "reference/class-names.md"), re.M)
    said = {squeeze(name): own for own, names in rows for name in names.split(",")}
    assert said == CANONICAL


def test_glossary() -> None:
    """The glossary explains each word in a sentence or a few, and both first pages link to it."""
    parts = dict(part.split("\n", 1) for part in text_of(DOCS / "glossary.md").split("\n## ")[1:])
    assert set(parts) == set(WORDS)
    assert all(20 < len(text) < 400 for text in parts.values())
    assert "docs/glossary.md" in text_of(ROOT / "README.md")
    assert "glossary.md" in text_of(DOCS / "index.md")


def test_readme_is_short() -> None:
    """The README fits what a newcomer reads."""
    assert len(text_of(ROOT / "README.md").splitlines()) <= 110


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_words_have_one_meaning(page: Path) -> None:
    """The pages say run, control and note, not the words that these replaced."""
    for word in ("a training ", "trainings", "what needs no learning", "Mind:"):
        if page.name not in ("benchmarks.md",):  # written by benchmarks/run.py
            assert word not in prose(page), f"{name_of(page)}: {word}"


def test_every_page_is_in_the_navigation() -> None:
    """Each page is listed by another one."""
    listed = set()
    for page in pages():
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text_of(page), re.DOTALL):
            for entry in tree.split():
                found = page.parent.glob(f"{entry}.md") if entry[0] != ":" else ()
                listed |= {path.resolve() for path in found}
    left = set(pages()) - listed - {ROOT / "README.md", DOCS / "index.md"}
    assert [name_of(path) for path in left] == []
