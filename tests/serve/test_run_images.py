"""Images of a run: labels that its review disputes, and what the model learned from."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import tumorscope
from tests.conftest import Command
from tumorscope.data.layouts import read_manifest
from tumorscope.inference.bundle import open_bundle
from tumorscope.serve.app import make_app
from tumorscope.serve.reader import Reader
from tumorscope.serve.run_images import ReviewedSet, read_reviewed, training_images
from tumorscope.watching.cases import ListEntry
from tumorscope.watching.log import Log


def opened(run: tumorscope.Run, folder: Path, reviewed: ReviewedSet) -> TestClient:
    """Return a server with a list, whose images are taken in as it starts."""
    reader = Reader(open_bundle(run.folder), Log(folder / "log"), folder / "store", workers=1)
    return TestClient(make_app(reader, reviewed=reviewed))


def listed(client: TestClient, name: str, count: int) -> list[dict[str, Any]]:
    """Return the cases of the list once they are all there."""
    for _ in range(200):
        found = client.get("/api/cases", params={"list": name, "count": 500}).json()
        answered = all(own["status"] == "answered" for own in found["cases"])
        if len(found["cases"]) == found["total"] == count and answered:
            return list(found["cases"])
        time.sleep(0.05)
    raise AssertionError("the list is not taken in")


def test_disputed_labels_are_reviewed_and_corrected(
    tiny_run: tumorscope.Run, reviewed_run: Path, phantoms: Path, tmp_path: Path
) -> None:
    """They come in the review's order, once, and the set's labels come back as readers say."""
    data = tmp_path / "set"
    shutil.copytree(phantoms.parent, data)
    reviewed = read_reviewed(reviewed_run)
    count, name = len(reviewed.entries), reviewed.list
    with opened(tiny_run, tmp_path, reviewed) as client:
        cases = listed(client, name, count)
        assert [own["name"] for own in cases] == list(reviewed.entries)
        assert [own["rank"] for own in cases] == list(range(1, count + 1))
        assert [own["filed"] for own in cases] == [own.filed for own in reviewed.entries.values()]
        assert client.get("/api/cases").json() == {"cases": [], "total": 0}
        (found,) = client.get("/api/lists").json()
        assert (found["cases"], found["reviewed"], found["corrects"]) == (count, 0, True)
        assert found["labels"] == list(reviewed.manifest.classes)
        other = next(label for label in found["labels"] if label != cases[0]["filed"])
        said = {"reader": "=Ada", "label": other}
        assert client.post(f"/api/cases/{cases[0]['id']}/review", json=said).status_code == 201
        assert client.get("/api/lists").json()[0]["reviewed"] == 1
        (data / phantoms.name).write_text(client.get("/api/corrected.csv").text)
    with opened(tiny_run, tmp_path, reviewed) as client:
        assert len(listed(client, name, count)) == count
    before = {row.image: row for row in read_manifest(phantoms).rows}
    after = {row.image: row for row in read_manifest(data / phantoms.name).rows}
    assert {image for image in before if after[image].label != before[image].label} == {
        cases[0]["name"]
    }
    assert after[cases[0]["name"]].label == other
    assert [own.patient_id for own in after.values()] == [r.patient_id for r in before.values()]


def test_training_images_that_look_alike(
    tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path, command: Command
) -> None:
    """A training image is most like itself, under its class; its picture only where allowed."""
    images = training_images(tiny_run.folder)
    labels = {phantoms.parent / row.image: row.label for row in read_manifest(phantoms).rows}
    bundle = open_bundle(tiny_run.folder)
    for folder, shown in (("a", images), ("b", [])):
        reader = Reader(bundle, Log(tmp_path / folder), None, workers=1, training=shown)
        with TestClient(make_app(reader)) as client:
            for number in (0, 3):
                files = [("files", ("a.png", images[number].read_bytes()))]
                (case,) = client.post("/api/cases", files=files).json()
                found = client.get(f"/api/cases/{case['id']}/training").json()
                assert len(found) == 6
                assert (found[0]["number"], found[0]["shown"]) == (number, bool(shown))
                assert found[0]["label"] == labels[images[number]]
                assert found[0]["likeness"] == pytest.approx(1, abs=1e-3)
            picture = client.get("/api/training/3")
            assert picture.status_code == (200 if shown else 404)
            assert client.get(f"/api/training/{len(images)}").status_code == 404
            assert client.get("/api/corrected.csv").status_code == 404
    done = command("serve", "--training-images")
    assert (done.returncode, "leave out" in done.stderr) == (2, True)


def test_a_list_that_cannot_be_read_is_a_sentence(
    tiny_run: tumorscope.Run, reviewed_run: Path, tmp_path: Path, command: Command
) -> None:
    """No review, nothing kept, data that has moved; an image that is gone is passed over."""
    for words, sentence in (
        ((tiny_run.folder,), "tumorscope review"),
        ((tmp_path / "x",), "no folder"),
        ((reviewed_run, "--no-store"), "leave out --no-store"),
    ):
        done = command("serve", tiny_run.folder, "--review", *words)
        assert (done.returncode, sentence in " ".join(done.stderr.split())) == (2, True)
    reviewed = read_reviewed(reviewed_run)
    some = dict(list(reviewed.entries.items())[1:3])
    gone = {"gone.png": ListEntry(reviewed.list, 1, "glioma", "glioma")}
    with opened(tiny_run, tmp_path, replace(reviewed, entries=gone | some)) as client:
        assert len(listed(client, reviewed.list, 2)) == 2
    moved = tmp_path / "moved"
    shutil.copytree(reviewed_run, moved)
    content = json.loads((moved / "environment.json").read_text())
    content["data"]["path"] = str(tmp_path / "nowhere")
    (moved / "environment.json").write_text(json.dumps(content))
    with pytest.raises(tumorscope.TumorscopeError, match="not at"):
        read_reviewed(moved)
