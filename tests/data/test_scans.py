"""Cohorts as scanners write them: series in order, patients by the header, nothing else of it."""

import shutil
from itertools import count
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

import tumorscope
from tests.conftest import TINY, Command
from tests.scans import SECRETS, write_series
from tumorscope.data.layouts import read_manifest
from tumorscope.data.read import read_image
from tumorscope.data.read.dicom import open_dicom, read_header
from tumorscope.data.scans.pseudonyms import pseudonym
from tumorscope.data.scans.series import group_objects
from tumorscope.data.scans.stacks import Stack, open_stacks
from tumorscope.schema.layout import LayoutOptions
from tumorscope.support.files import read_csv


@pytest.fixture(autouse=True)
def _own_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUMORSCOPE_SALT", "a secret of the tests")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six patients each, one of whom has two series in folders of their own."""
    root = tmp_path_factory.mktemp("cohort") / "data"
    numbers = count()
    for lesion in ("glioma", "meningioma"):
        for visit in ("a", "b", "c", "d", "e", "f"):
            write_series(root / lesion / visit, lesion, next(numbers))
    write_series(root / "glioma" / "second visit of a", "glioma", 0)
    return root


def test_series_are_sorted_by_place_and_split_by_orientation(cohort: Path) -> None:
    """Names tell nothing; a second orientation, or a second run at the same places, is apart."""
    paths = sorted((cohort / "glioma" / "a").iterdir())
    objects = [(path.name, read_header(path)) for path in paths]
    (series,) = group_objects(objects)
    assert [frame.place for frame in series.frames] == [5.0 * n for n in range(12)]
    assert series.plane == "axial"
    for number, (_, own) in enumerate(objects[:6]):
        own.header.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        own.header.ImagePositionPatient = [0, float(number), 0]
    assert sorted(one.plane for one in group_objects(objects)) == ["axial", "coronal"]
    again = [read_header(path) for path in paths]
    for own in again:
        own.header.AcquisitionNumber = 2
    first = [(path.name, read_header(path)) for path in paths]
    both = [*first, *((f"again {n}", own) for n, own in enumerate(again))]
    assert [len(one.frames) for one in group_objects(both)] == [12, 12]


def test_a_series_is_called_the_same_wherever_it_lies(cohort: Path, tmp_path: Path) -> None:
    """So that a truth for it is found again; a copy in another folder is told apart."""
    shutil.copytree(cohort / "glioma" / "a", tmp_path / "set" / "a")
    shutil.copytree(cohort / "glioma" / "a", tmp_path / "set" / "copy of a")

    def names(root: Path) -> list[str]:
        """Return what the series below a folder are called."""
        files = sorted(str(path.relative_to(root)) for path in root.rglob("IM*"))
        return [stack.name for stack in open_stacks(root, files) if isinstance(stack, Stack)]

    (alone,) = names(tmp_path / "set" / "a")
    first, copy = names(tmp_path)
    assert first == alone != copy


def test_a_cohort_is_read_by_the_patients_of_its_headers(cohort: Path) -> None:
    """The middle third of each series is used, the rest counted; two visits are one patient."""
    manifest = read_manifest(cohort)
    assert len(manifest.rows) == 13 * 4
    assert manifest.files_left_out == 13 * 8
    assert {file.reason for file in manifest.left_out} == {"outside the middle third"}
    assert len({row.patient_id for row in manifest.rows}) == 12
    visits = {
        row.image.split("/")[1]
        for row in manifest.rows
        if row.patient_id == pseudonym("patient", "Muster-0")
    }
    assert visits == {"a", "second visit of a"}
    assert dict(manifest.rows[0].others)["plane"] == "axial"
    assert any("13 series" in note for note in manifest.notes)


def test_a_picture_in_the_cache_is_the_slice_itself(cohort: Path) -> None:
    """What training sees of a series is what prediction sees of the object."""
    manifest = read_manifest(cohort)
    objects = {
        open_dicom(path.read_bytes()).number: read_image(path).pixels
        for path in (cohort / "glioma" / "b").iterdir()
    }
    rows = [row for row in manifest.rows if row.image.startswith("glioma/b/")]
    for row in rows:
        number = int(float(dict(row.others)["position_mm"]) / 5) + 1
        kept = read_image(manifest.root / row.image).pixels
        np.testing.assert_array_equal(kept, objects[number])


def test_training_holds_patients_together_and_keeps_no_identifier(
    cohort: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the scanner's files to a run: leak-free, and none of what was planted is anywhere."""
    monkeypatch.setenv("TUMORSCOPE_CACHE", str(tmp_path / "cache"))
    audited = command("audit", cohort, "--out", tmp_path / "audit")
    assert audited.returncode == 0, audited.stderr
    run = tumorscope.train(data=cohort, overrides=TINY, out=tmp_path / "run", device="cpu")
    parts: dict[str, set[str]] = {}
    for row in read_csv(run.folder / "partition.csv"):
        parts.setdefault(row["patient_id"] if "patient_id" in row else row["group"], set()).add(
            row["part"]
        )
    assert all(len(own) == 1 for own in parts.values())
    tested = {row["image"].rsplit("/", 1)[0] for row in read_csv(run.folder / "predictions.csv")}
    assert run.results.series is not None
    assert (run.results.series.n, run.results.series.slices) == (len(tested), 1)
    damaged = tmp_path / "damaged"
    shutil.copytree(cohort / "glioma" / "a", damaged / "glioma")
    for path in (damaged / "glioma").iterdir():
        path.write_bytes(path.read_bytes()[:-1000])
    refused = command("layouts", damaged)
    assert refused.returncode == 2
    assert "damaged DICOM object" in refused.stderr
    said = audited.stdout + audited.stderr + refused.stderr + refused.stdout
    files = [path for path in tmp_path.rglob("*") if path.is_file() and damaged not in path.parents]
    assert len(files) > 50
    for secret in SECRETS:
        assert secret not in said
        assert not [path for path in files if secret.encode() in path.read_bytes()]
        assert not [path for path in files if secret in path.name]


def test_volumes_with_a_segmentation_give_slices_and_boxes(tmp_path: Path) -> None:
    """Slices that the mask marks are used, with its box; a head's modalities are one patient."""
    for patient in ("Pat_001", "Pat_002", "Pat_003"):
        folder = tmp_path / ("glioma" if patient < "Pat_003" else "none")
        folder.mkdir(exist_ok=True)
        levels = np.random.default_rng(0).integers(0, 900, (20, 24, 15)).astype(np.int16)
        for kind in ("t1ce", "t2"):
            nibabel.Nifti1Image(levels, np.diag([1, 1, 4, 1])).to_filename(
                folder / f"{patient}_{kind}.nii.gz"
            )
        if patient < "Pat_003":
            mask = np.zeros((20, 24, 15), np.uint8)
            mask[2:6, 3:9, 4:6] = 1
            nibabel.Nifti1Image(mask, np.diag([1, 1, 4, 1])).to_filename(
                folder / f"{patient}_seg.nii.gz"
            )
    manifest = read_manifest(tmp_path)
    assert {row.patient_id for row in manifest.rows} == {"Pat_001", "Pat_002", "Pat_003"}
    marked = [row for row in manifest.rows if row.label == "glioma"]
    assert len(marked) == 2 * 2 * 2
    (box,) = marked[0].boxes
    # Right is left and front is up: columns 2 to 6 of 20 from the right, rows 3 to 9 of 24.
    assert (box.x_center, box.width) == pytest.approx((1 - 4 / 20, 4 / 20))
    assert (box.y_center, box.height) == pytest.approx((1 - 6 / 24, 6 / 24))
    assert len([row for row in manifest.rows if row.label == "none"]) == 2 * 5
    assert manifest.files_left_out == 2


def test_scans_beside_pictures_are_counted(tmp_path: Path, cohort: Path) -> None:
    """A set of pictures with a stray object is read as pictures; the object is counted."""
    draw = np.random.default_rng(0)
    for label in ("glioma", "no_tumor"):
        (tmp_path / label).mkdir()
        for n in range(3):
            Image.fromarray(draw.integers(0, 256, (9, 9), np.uint8)).save(
                tmp_path / label / f"{n}.png"
            )
    shutil.copyfile(next((cohort / "glioma" / "a").iterdir()), tmp_path / "no_tumor" / "x.dcm")
    manifest = read_manifest(tmp_path)
    assert (len(manifest.rows), manifest.passed_over) == (6, {".dcm": 1})


def test_a_table_names_volumes(tmp_path: Path) -> None:
    """One row a volume: its label and patient are those of its slices, in the plane asked for."""
    levels = np.random.default_rng(0).integers(0, 900, (20, 24, 15)).astype(np.int16)
    (tmp_path / "scans").mkdir()
    for n in range(4):
        image = nibabel.Nifti1Image(levels + n, np.diag([1, 1, 4, 1]))
        image.to_filename(tmp_path / "scans" / f"v{n}.nii.gz")
    lines = [f"scans/v{n}.nii.gz,{'glioma' if n < 2 else 'none found'},p{n // 2}" for n in range(4)]
    table = tmp_path / "cohort.csv"
    table.write_text("\n".join(["image,label,patient", *lines]), encoding="utf-8")
    for data in (table, tmp_path):
        manifest = read_manifest(data)
        assert len(manifest.rows) == 4 * 5
        assert {row.patient_id for row in manifest.rows} == {"p0", "p1"}
        assert {row.label for row in manifest.rows} == {"glioma", "none found"}
    shutil.copy(tmp_path / "scans" / "v0.nii.gz", tmp_path / "scans" / "more.nii.gz")
    assert read_manifest(tmp_path).passed_over[".gz"] == 1  # which no row names
    coronal = read_manifest(table, LayoutOptions(plane="coronal"))
    assert len(coronal.rows) == 4 * 8
    assert dict(coronal.rows[0].others)["plane"] == "coronal"


def test_identifiers_are_kept_where_that_is_asked_for(cohort: Path) -> None:
    manifest = read_manifest(cohort, LayoutOptions(keep_identifiers=True))
    assert {row.patient_id for row in manifest.rows} == {f"Muster-{n}" for n in range(12)}
