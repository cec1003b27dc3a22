"""Known slices: found under other names and sizes, and never where they are not."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command
from tumorscope.data.layouts import read_manifest
from tumorscope.data.phantom import write_phantoms
from tumorscope.data.resize import resize, resize_squares
from tumorscope.data.store import MIDDLE, THUMBNAIL, Store, open_store
from tumorscope.errors import DataError, UsageError
from tumorscope.grouping.lineage import add_table, load_tables, match_slices
from tumorscope.grouping.lineage.table import dump_table, make_table, parse_table


@pytest.fixture(scope="module")
def cheng(real_data: Path) -> Store:
    """The set that the package's table was made from."""
    return open_store(read_manifest(real_data / "cheng" / "slices.csv"), MIDDLE)


def test_the_table_is_small_and_whole() -> None:
    """3,064 slices of 233 patients in under a megabyte."""
    table = next(t for t in load_tables() if t.set_name == "cheng")
    assert len(table.names) == 3064
    assert len(set(table.patients)) == 233
    path = Path(__file__).parents[2] / "src" / "tumorscope" / "grouping" / "lineage" / "cheng.npz"
    assert path.stat().st_size < 1_000_000


def test_the_set_against_itself(cheng: Store) -> None:
    """Each slice is itself; without itself no slice is taken for another patient's."""
    tables = [t for t in load_tables() if t.set_name == "cheng"]
    rows = cheng.manifest.rows
    matches = match_slices(cheng.thumbnails, tables)
    assert [m.name for m in matches] == [row.image for row in rows]
    without = match_slices(cheng.thumbnails, tables, np.arange(len(rows)))
    assert all(m.patient == rows[m.row].patient_id for m in without)


def test_copies_at_224_and_jpeg_75(cheng: Store) -> None:
    """Resized and re-encoded, 97 % are found, each under its own patient."""
    chosen = range(0, len(cheng), 4)
    thumbnails = []
    for row in chosen:
        path = cheng.manifest.root / cheng.manifest.rows[row].image
        buffer = BytesIO()
        Image.open(path).convert("L").resize((224, 224)).save(buffer, "JPEG", quality=75)
        pixels = np.asarray(Image.open(buffer).convert("L"))
        thumbnails.append(resize_squares(resize(pixels, MIDDLE)[None], THUMBNAIL)[0])
    matches = match_slices(np.stack(thumbnails), load_tables())
    rows = cheng.manifest.rows
    right = [m for m in matches if m.patient == rows[chosen[m.row]].patient_id]
    assert len(right) == len(matches) >= 0.97 * len(chosen)


def test_nothing_is_invented(real_data: Path, tmp_path: Path) -> None:
    """Images that are no slices of the set match none: another set, phantoms, noise."""
    other = open_store(read_manifest(real_data / "yesno"), MIDDLE).thumbnails
    drawn = open_store(read_manifest(write_phantoms(tmp_path, patients=2)), MIDDLE).thumbnails
    noise = np.random.default_rng(0).integers(0, 256, (50, 64, 64), np.uint8)
    for thumbnails in (other, drawn, noise, np.zeros((3, 64, 64), np.uint8)):
        assert match_slices(thumbnails, load_tables()) == []


def test_a_table_of_ones_own(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added once, a set's slices are recognised, with how sure that is."""
    monkeypatch.setenv("TUMORSCOPE_LINEAGE", str(tmp_path / "own"))
    store = open_store(read_manifest(phantoms), MIDDLE)
    add_table("mine", store)
    matches = match_slices(store.thumbnails[:6, :, ::-1], load_tables())
    assert [m.set_name for m in matches] == ["mine"] * 6
    assert all(m.patient == store.manifest.rows[m.row].patient_id for m in matches)
    assert all(m.similarity > 0.99 and m.lead > 0 for m in matches)


def test_what_cannot_be_a_table_is_refused(
    real_data: Path, phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No patients, no name, a taken name, a damaged file, a pickle."""
    monkeypatch.setenv("TUMORSCOPE_LINEAGE", str(tmp_path))
    store = open_store(read_manifest(phantoms), MIDDLE)
    with pytest.raises(DataError, match="253 of 253 images have no patient_id"):
        make_table("x", open_store(read_manifest(real_data / "yesno"), MIDDLE))
    with pytest.raises(UsageError, match="cannot name"):
        add_table("../x", store)
    with pytest.raises(UsageError, match="choose another name"):
        add_table("cheng", store)
    whole = dump_table(make_table("x", store))
    pickled = BytesIO()
    np.savez(pickled, prints=np.array([{}], dtype=object), allow_pickle=True)
    for content in (b"", whole[: len(whole) // 2], b"PK\x03\x04", pickled.getvalue()):
        with pytest.raises(DataError, match="lineage table 'x'"):
            parse_table("x", content)


def test_lineage_add_from_the_command_line(
    command: Command, phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command adds a set; a manifest without patients is refused in a sentence."""
    monkeypatch.setenv("TUMORSCOPE_LINEAGE", str(tmp_path / "own"))
    run = command("lineage", "add", "mine", phantoms)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "own" / "mine.npz").is_file()
