"""Labels that a review disputes, as cases that people step through."""

import csv
import io
import json
import shutil
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import tumorscope
from tests.conftest import Command
from tumorscope.data.layouts import read_manifest
from tumorscope.inference.bundle import open_bundle
from tumorscope.serve.app import make_app
from tumorscope.serve.reader import Reader
from tumorscope.serve.run_images import Entry, learned_images, read_list
from tumorscope.watching.log import Log


def opened(run: tumorscope.Run, folder: Path, entries: list[Entry]) -> TestClient:
    """Return a server with a list, whose images are taken in as it starts."""
    reader = Reader(open_bundle(run.folder), Log(folder / "log"), folder / "store", workers=1)
    return TestClient(make_app(reader, listed=entries))


def listed(client: TestClient, count: int) -> list[dict[str, object]]:
    """Return the cases of the list once they are all there."""
    for _ in range(200):
        found = client.get("/api/cases", params={"list": "tiny", "count": 500}).json()
        if len(found["cases"]) == count and all(
            own["status"] == "answered" for own in found["cases"]
        ):
            return list(found["cases"])
        time.sleep(0.05)
    raise AssertionError("the list is not taken in")


def test_disputed_labels_are_stepped_through_and_corrected(
    tiny_run: tumorscope.Run, reviewed_run: Path, phantoms: Path, tmp_path: Path
) -> None:
    """They come in the review's order, once, and what readers say is a manifest of the set."""
    entries = read_list(reviewed_run)
    with opened(tiny_run, tmp_path, entries) as client:
        cases = listed(client, len(entries))
        assert [own["name"] for own in cases] == [own.image for own in entries]
        assert [own["filed"] for own in cases] == [own.listed.filed for own in entries]
        assert client.get("/api/cases").json() == {"cases": [], "total": 0}
        (found,) = client.get("/api/lists").json()
        assert (found["cases"], found["reviewed"]) == (len(entries), 0)
        assert cases[0]["filed"] in found["labels"]
        said = {"reader": "Ada", "label": cases[0]["filed"]}
        assert client.post(f"/api/cases/{cases[0]['id']}/review", json=said).status_code == 201
        assert client.get("/api/lists").json()[0]["reviewed"] == 1
        corrected = client.get("/api/reviews.csv").text
    with opened(tiny_run, tmp_path, entries) as client:
        assert len(listed(client, len(entries))) == len(entries)
    (row,) = csv.DictReader(io.StringIO(corrected))
    assert (row["image"], row["filed"]) == (entries[0].image, entries[0].listed.filed)
    root = read_manifest(phantoms).root
    beside = tmp_path / "set"
    beside.symlink_to(root, target_is_directory=True)
    (tmp_path / "set.csv").write_text(corrected.replace(row["image"], f"set/{row['image']}"))
    (again,) = read_manifest(tmp_path / "set.csv").rows
    assert again.label == row["label"]


def test_training_images_that_look_alike(
    tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path, command: Command
) -> None:
    """A training image is most like itself, under its class; its picture only where allowed."""
    learned = learned_images(tiny_run.folder)
    labels = {phantoms.parent / row.image: row.label for row in read_manifest(phantoms).rows}
    bundle = open_bundle(tiny_run.folder)
    for folder, shown in (("a", learned), ("b", [])):
        reader = Reader(bundle, Log(tmp_path / folder), None, workers=1, learned=shown)
        with TestClient(make_app(reader)) as client:
            for number in (0, 3):
                files = [("files", ("a.png", learned[number].read_bytes()))]
                (case,) = client.post("/api/cases", files=files).json()
                found = client.get(f"/api/cases/{case['id']}/learned").json()
                assert len(found) == 6
                assert (found[0]["number"], found[0]["shown"]) == (number, bool(shown))
                assert found[0]["label"] == labels[learned[number]]
                assert found[0]["likeness"] == pytest.approx(1, abs=1e-3)
            picture = client.get("/api/learned/3")
            assert picture.status_code == (200 if shown else 404)
            assert client.get(f"/api/learned/{len(learned)}").status_code == 404
    done = command("serve", "--training-images")
    assert (done.returncode, "leave out" in done.stderr) == (2, True)


def test_a_list_that_cannot_be_read_is_a_sentence(
    tiny_run: tumorscope.Run, reviewed_run: Path, tmp_path: Path, command: Command
) -> None:
    """No review, data that has moved; an image that is gone is passed over."""
    for run, words in ((tiny_run.folder, "tumorscope review"), (tmp_path / "x", "no folder")):
        done = command("serve", tiny_run.folder, "--review", run)
        assert (done.returncode, words in done.stderr) == (2, True)
    entries = read_list(reviewed_run)[:3]
    gone = Entry("gone.png", tmp_path / "gone.png", "", entries[0].listed)
    with opened(tiny_run, tmp_path, [gone, *entries[1:]]) as client:
        assert len(listed(client, 2)) == 2
    moved = tmp_path / "moved"
    shutil.copytree(reviewed_run, moved)
    content = json.loads((moved / "environment.json").read_text())
    content["data"]["path"] = str(tmp_path / "nowhere")
    (moved / "environment.json").write_text(json.dumps(content))
    with pytest.raises(tumorscope.TumorscopeError, match="not at"):
        read_list(moved)
