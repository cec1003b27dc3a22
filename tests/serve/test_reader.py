"""The interface and the page: real uploads, a real server, a real browser."""

import hashlib
import io
import json
import shutil
import signal
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
import psutil
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from PIL import Image

import tumorscope
from tests.browser import run_in_browser
from tests.databases import start_postgresql
from tests.scans import write_series
from tests.server import Server
from tumorscope.data.layouts import read_manifest
from tumorscope.data.phantom import Head
from tumorscope.data.read import read_image
from tumorscope.inference.bundle import open_bundle
from tumorscope.serve.answering import Answering
from tumorscope.serve.app import make_app
from tumorscope.serve.decoding import Decoder
from tumorscope.serve.limits import Limits
from tumorscope.serve.reader import Reader
from tumorscope.serve.uploads import collect, decode_upload
from tumorscope.watching.log import Log

Files = list[tuple[str, tuple[str, bytes]]]


def application(
    run: tumorscope.Run, folder: Path, log: str | None = None, **limits: float
) -> FastAPI:
    """Return the application over a run; its log lies in the folder unless given."""
    reader = Reader(
        open_bundle(run.folder),
        Log(log or folder / "log"),
        folder / "store",
        workers=2,
        limits=Limits(**limits),  # type: ignore[arg-type]
    )
    return make_app(reader, hosts=("testserver", "localhost", "127.0.0.1"))


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database that is ours."""
    yield from start_postgresql(tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(
    request: pytest.FixtureRequest,
    tiny_run: tumorscope.Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    """A server over the tiny model, on either database."""
    folder = tmp_path_factory.mktemp("reader")
    place = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with TestClient(application(tiny_run, folder, place)) as own:
        yield own


def as_files(*paths: Path, name: str = "") -> Files:
    """Return files as a form sends them."""
    return [("files", (name or path.name, path.read_bytes())) for path in paths]


def test_an_image_is_answered_as_predict_does(
    client: TestClient, tiny_run: tumorscope.Run, images: list[Path]
) -> None:
    """Label and probabilities equal; the slice comes back; a map lies over it."""
    predictor = tumorscope.Predictor.load(tiny_run.folder)
    for path in images[:4]:
        done = client.post("/api/cases", files=as_files(path))
        assert done.status_code == 201, done.text
        (case,) = done.json()
        expected = predictor(path)
        assert case["status"] == "answered"
        assert (case["label"], case["accepted"]) == (expected.label, expected.accepted)
        assert case["answer"]["probabilities"] == pytest.approx(dict(expected.probabilities))
        again = client.get(f"/api/cases/{case['id']}").json()
        assert again["answer"] == case["answer"]
        shown = client.get(f"/api/cases/{case['id']}/slices/0")
        with Image.open(path) as own, Image.open(io.BytesIO(shown.content)) as back:
            assert (np.asarray(own) == np.asarray(back)).all()
        for method in ("", "occlusion"):
            drawn = client.get(f"/api/cases/{case['id']}/maps/0", params={"method": method})
            with Image.open(io.BytesIO(drawn.content)) as over:
                assert over.mode == "RGBA"
    assert client.get(f"/api/cases/{case['id']}/slices/1").status_code == 404
    none = client.get(f"/api/cases/{case['id']}/maps/0", params={"method": "x"})
    assert (none.status_code, "no maps called x, but these" in none.text) == (404, True)
    alike = client.get(f"/api/cases/{case['id']}/alike").json()
    assert len(alike) == 3
    assert alike[0]["likeness"] >= alike[-1]["likeness"]


def test_series_volumes_and_zips_are_cases(
    client: TestClient, tmp_path: Path, images: list[Path]
) -> None:
    """Objects of a series are one case, a volume is one, a zip is what it holds."""
    write_series(tmp_path / "one", "meningioma", 2, slices=5)
    write_series(tmp_path / "two", "glioma", 4, slices=4)
    objects = sorted((tmp_path / "one").iterdir())
    (case,) = client.post("/api/cases", files=as_files(*objects)).json()
    assert (case["kind"], len(case["answer"]["slices"])) == ("series", 5)
    assert "Muster" not in json.dumps(case)
    events = client.get(f"/api/cases/{case['id']}/events").text
    assert "event: end" in events
    volumes = [tmp_path / "sub-01_t1.nii.gz", tmp_path / "a.nii.gz"]
    for path in volumes:
        levels = np.random.default_rng(0).integers(0, 900, (20, 24, 3), np.int16)
        nibabel.save(nibabel.Nifti1Image(levels, np.diag([1, 1, 5, 1])), path)
    cases = client.post("/api/cases", files=as_files(*volumes)).json()
    assert [own["kind"] for own in cases] == ["series", "series"]
    found = [_answered(client, own["id"]) for own in cases]
    told = [(own["name"], own["answer"]["patient"]) for own in found]  # type: ignore[index]
    assert told == [("sub-01_t1.nii.gz", "sub-01"), ("a.nii.gz", "a")]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in (*objects, *sorted((tmp_path / "two").iterdir()), images[0]):
            archive.write(path, f"../../{path.parent.name}/{path.name}")
    cases = client.post("/api/cases", files=[("files", ("all.zip", packed.getvalue()))]).json()
    assert sorted(own["kind"] for own in cases) == ["image", "series", "series"]
    for own in cases:
        _answered(client, own["id"])


def test_what_cannot_be_answered_is_named_beside_what_can(
    client: TestClient, tmp_path: Path, images: list[Path]
) -> None:
    """Each reason is a case of its own; what a zip or a folder holds besides is passed over."""
    good = images[0].read_bytes()
    write_series(tmp_path / "one", "glioma", 1, slices=3)
    (first, *others) = sorted((tmp_path / "one").iterdir())
    volume = tmp_path / "sub-01_t1.nii.gz"
    levels = np.random.default_rng(0).integers(0, 900, (20, 24, 3), np.int16)
    nibabel.save(nibabel.Nifti1Image(levels, np.diag([1, 1, 5, 1])), volume)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("read me.txt", "what this is")
        archive.writestr("__MACOSX/._a.png", b"\x00\x05")
        archive.writestr("cut.png", good[:200])
        archive.writestr("folder/cut.png", good[:200])
        archive.writestr("image.dcm", good)
        archive.write(volume, "sub-01_seg.nii.gz")
        archive.write(volume, volume.name)
    sent = [
        ("files", ("scans.zip", packed.getvalue())),
        ("files", ("first.dcm", first.read_bytes()[:-5000])),
        ("files", (".DS_Store", b"\x00")),
        ("files", ("bad.zip", b"PK\x03\x04" + bytes(40))),
        *as_files(*others, images[0]),
    ]
    cases = client.post("/api/cases", files=sent).json()
    found = [_answered(client, own["id"]) for own in cases]
    told = {(own["name"], own["kind"], own["status"], bool(own["note"])) for own in found}
    series = found[0]["name"]
    assert told == {
        (series, "series", "answered", False),
        ("sub-01_t1.nii.gz", "series", "answered", True),  # read, but noise: the gate refuses it
        (images[0].name, "image", "answered", False),
        ("image.dcm", "image", "answered", False),  # by its content
        ("bad.zip", "image", "failed", True),
        ("first.dcm", "series", "failed", True),
        ("cut.png and 1 more", "image", "failed", True),
        ("sub-01_seg.nii.gz", "series", "failed", True),
    }
    assert found[0]["slices"] == 2
    codes = [client.get(f"/api/cases/{own['id']}/slices/0").status_code for own in found]
    assert codes == [200] * 4 + [404] * 4
    assert [own["kept"] for own in cases] == [True] * 4 + [False] * 4


def test_an_upload_is_read_again_after_a_death_and_within_its_limits(
    tmp_path: Path, images: list[Path]
) -> None:
    """The second attempt finds all that the first did; what becomes too large is refused."""
    (tmp_path / "in").mkdir()
    for number, path in enumerate(images[:3]):
        shutil.copy(path, tmp_path / "in" / f"0000{number}.png")
    names = [path.name for path in images[:3]]
    for _ in range(2):
        assert not decode_upload(tmp_path, names, Limits())
        assert [own.name for own in collect(tmp_path / "out")] == names
    assert "MB" in decode_upload(tmp_path, names, Limits(waiting=10_000))
    assert "more than 2 files" in decode_upload(tmp_path, names, Limits(files=2))


def _answered(client: TestClient, case: str) -> dict[str, object]:
    for _ in range(200):
        found: dict[str, object] = client.get(f"/api/cases/{case}").json()
        if found["status"] != "waiting":
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_what_cannot_be_read_is_refused_in_a_sentence(
    client: TestClient, images: list[Path], tmp_path: Path
) -> None:
    """Each with a 4xx, and no word of where the server keeps things."""
    good = images[0].read_bytes()
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(3 << 20))
    write_series(tmp_path / "one", "glioma", 1, slices=1)
    dicom = next((tmp_path / "one").iterdir()).read_bytes()
    for name, content in {
        "empty.png": b"",
        "text.png": b"no image",
        "cut.png": good[: len(good) // 2],
        "cut.dcm": dicom[: len(dicom) // 2],
        "bad.nii.gz": b"\x1f\x8b" + bytes(50),
        "bad.nii": bytes(400),
        "bad.zip": b"PK\x03\x04" + bytes(40),
        "bomb.zip": bomb.getvalue(),
        "../../etc/passwd": b"root:x:0",
        "\x00\n.png": b"\x89PNG\r\n\x1a\n" + bytes(30),
    }.items():
        done = client.post("/api/cases", files=[("files", (name, content))])
        assert 400 <= done.status_code < 500, (name, done.text)
        assert done.json()["detail"].endswith("."), done.text
        assert tempfile.gettempdir() not in done.text, done.text
    assert client.post("/api/cases").status_code == 422
    assert client.post("/api/cases", files=as_files(images[0])).status_code == 201


def test_a_reader_that_dies_or_hangs_is_replaced(
    tiny_run: tumorscope.Run, images: list[Path], tmp_path: Path
) -> None:
    """Too much memory, and too long: a sentence each, and the next upload is answered."""
    large = io.BytesIO()
    Image.new("L", (6000, 6000)).save(large, "PNG")
    app = application(tiny_run, tmp_path, memory=24 << 20, seconds=60)
    with TestClient(app) as own:
        done = own.post("/api/cases", files=[("files", ("large.png", large.getvalue()))])
        assert done.status_code == 422
        assert "memory" in done.json()["detail"]
    app = application(tiny_run, tmp_path / "two", seconds=0.001)
    with TestClient(app) as own:
        done = own.post("/api/cases", files=as_files(images[0]))
        assert (done.status_code, "seconds" in done.json()["detail"]) == (422, True)


def test_one_bad_slice_is_nobody_elses(tiny_run: tumorscope.Run, images: list[Path]) -> None:
    """Of slices that are answered together, the one that cannot be fails alone."""
    answering = Answering(tumorscope.Predictor.load(tiny_run.folder, threads=1), 1)
    good = read_image(images[0]).pixels
    bad = np.full((8, 8), np.inf, np.float32)
    futures = [answering.submit(str(n), bad if n == 3 else good) for n in range(8)]
    answering.close()
    assert [future.exception() is not None for future in futures] == [n == 3 for n in range(8)]


def test_a_dead_process_is_replaced(images: list[Path]) -> None:
    """A process that reads and was killed while idle costs nobody an upload."""
    decoder = Decoder(Limits())
    decoder.start()
    for child in psutil.Process().children(recursive=True):
        if "spawn" in " ".join(child.cmdline()):
            child.kill()
    for _ in range(3):
        (own,) = decoder([("a.png", io.BytesIO(images[0].read_bytes()))])
        assert own.kind == "image"
    decoder.close()


def test_the_interface_can_be_read(client: TestClient) -> None:
    """Every address and every value of a message, on a page that needs no other server."""
    assert {client.head(address).status_code for address in ("/", "/api/health")} == {200}
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page
    for value in ("x_center", "comment", "at most 4,000 characters", "list of CaseShown"):
        assert value in page
    assert "//" not in page.replace("<!doctype", "")
    assert client.get("/interface.css").headers["content-type"].startswith("text/css")


def test_reviews_are_kept_and_exported(
    client: TestClient, images: list[Path], tmp_path: Path
) -> None:
    """What was said first stays; the export is a manifest; two readers have a kappa."""
    cases = [client.post("/api/cases", files=as_files(path)).json()[0]["id"] for path in images[:2]]
    box = {"x_center": 0.5, "y_center": 0.4, "width": 0.2, "height": 0.1}
    for case in cases:
        for reader, label in (("Ada", "glioma"), ("Bo", "pituitary"), ("Bo", "glioma")):
            said = {"reader": reader, "label": label, "blind": True, "box": box}
            done = client.post(f"/api/cases/{case}/review", json=said)
            assert done.status_code == 201, done.text
    outside = {"reader": "Ada", "label": "glioma", "box": {**box, "x_center": 0.95}}
    done = client.post(f"/api/cases/{cases[0]}/review", json=outside)
    assert (done.status_code, "reaches out" in done.json()["detail"]) == (422, True)
    found = client.get(f"/api/cases/{cases[0]}").json()
    assert [own["label"] for own in found["said"]] == ["glioma", "pituitary", "glioma"]
    assert found["said"][0]["box"] == box
    listed = client.get("/api/cases", params={"reviewed": True, "count": 500}).json()
    assert {own["id"] for own in listed["cases"]} >= set(cases)
    assert listed["total"] == len(listed["cases"])
    assert client.get("/api/cases", params={"label": "nonsense"}).json()["total"] == 0
    (tmp_path / "reviews.csv").write_text(client.get("/api/reviews.csv").text)
    for path in images[:2]:
        shutil.copy(path, tmp_path)
    rows = read_manifest(tmp_path / "reviews.csv").rows
    assert [(row.label, row.boxes[0].width) for row in rows] == [("glioma", 0.2)] * 2
    (agreed,) = client.get("/api/agreement").json()
    assert (agreed["cases"], agreed["same"]) == (2, 1)
    for wrong in (
        {"reader": "", "label": "x"},
        {"label": "x"},
        {"reader": "A", "label": "x", "z": 1},
        {"reader": "A", "label": " "},
        {"reader": "A", "label": "x", "slice": 7},
    ):
        assert client.post(f"/api/cases/{cases[0]}/review", json=wrong).status_code == 422
    assert client.post(f"/api/cases/{'f' * 32}/review", json=said).status_code == 404


def test_strangers_are_turned_away(tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """Another host name, another origin, no token, too many requests; headers keep a page in."""
    reader = Reader(
        open_bundle(tiny_run.folder), Log(tmp_path), None, workers=1, limits=Limits(requests=20)
    )
    secret = "s" * 20
    with TestClient(make_app(reader, hosts=("testserver",), token=secret)) as own:
        assert own.get("/api/health", headers={"Host": "evil.example"}).status_code == 421
        assert own.get("/api/health", headers={"Origin": "http://evil.example"}).status_code == 403
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert own.post("/api/cases", headers=cross).status_code == 403
        assert own.get("/api/cases").status_code == 401
        assert own.get("/api/cases", headers={"Authorization": "Bearer wrong"}).status_code == 401
        bearer = {"Authorization": f"Bearer {secret}"}
        answer = own.get("/api/cases", headers=bearer)
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert own.get(f"/?token={secret}", follow_redirects=False).status_code == 303
        assert own.get("/").status_code == 200  # by the cookie
        assert own.get("/assets/../app.py").status_code == 404
        assert own.get("/assets/%2e%2e%2fapp.py").status_code == 404
        assert {own.get("/api/health").status_code for _ in range(20)} == {200, 429}


def test_what_would_wait_too_long_is_turned_away(
    tiny_run: tumorscope.Run, images: list[Path], tmp_path: Path
) -> None:
    """While more slices wait than memory should hold; afterwards it is taken, and none waits."""
    limits = Limits(waiting=100_000)
    reader = Reader(
        open_bundle(tiny_run.folder), Log(tmp_path / "log"), None, workers=1, limits=limits
    )
    with TestClient(make_app(reader)) as own:
        reader._reserve(100_000)
        refused = own.post("/api/cases", files=as_files(images[1]))
        assert (refused.status_code, "again in a minute" in refused.json()["detail"]) == (503, True)
        assert own.get("/api/cases").json()["total"] == 0
        reader._release(100_000)
        assert own.post("/api/cases", files=as_files(images[1])).status_code == 201
        assert reader._waiting == 0


def test_without_a_store_nothing_is_kept(
    tiny_run: tumorscope.Run, images: list[Path], tmp_path: Path
) -> None:
    """Slices are shown as long as they are in memory; then a sentence says that they are gone."""
    reader = Reader(
        open_bundle(tiny_run.folder), Log(tmp_path / "log"), None, workers=1, limits=Limits(kept=1)
    )
    with TestClient(make_app(reader)) as own:
        first, second = (
            own.post("/api/cases", files=as_files(path)).json()[0]["id"] for path in images[:2]
        )
        assert own.get(f"/api/cases/{second}/slices/0").status_code == 200
        gone = own.get(f"/api/cases/{first}/slices/0")
        assert (gone.status_code, "not kept" in gone.json()["detail"]) == (410, True)
        assert not own.get(f"/api/cases/{first}").json()["kept"]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.fixture(scope="module")
def server(
    tiny_run: tumorscope.Run, reviewed_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server with a review list."""
    folder = tmp_path_factory.mktemp("server")
    words = ("--review", str(reviewed_run), "--training-images")
    own = Server(tiny_run.folder, folder, *words)
    yield own
    own.process.send_signal(signal.SIGINT)
    assert own.process.wait(30) in (0, 130, -signal.SIGINT)


def test_the_interface_keeps_its_promises(server: Server) -> None:
    """What schemathesis makes up from the OpenAPI document never ends in a server error."""
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]

        @given(case=operation.as_strategy())
        @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
        def send(case: Any) -> None:
            """Send it."""
            answer = case.call(timeout=20)
            assert answer.status_code < 500, answer.text

        send()
        tried += 1
    assert tried >= 12


def test_many_clients_lose_nothing(
    server: Server, tiny_run: tumorscope.Run, images: list[Path]
) -> None:
    """Requests of 16 clients at once are each answered as `predict` answers the same file."""
    predictor = tumorscope.Predictor.load(tiny_run.folder)
    expected = {path.name: predictor(path) for path in images}
    some = (images * 6)[:240]
    with httpx.Client(base_url=server.address, timeout=60) as own, ThreadPoolExecutor(16) as pool:

        def ask(path: Path) -> bool:
            """Send a file and compare the answer."""
            done = own.post("/api/cases", files=as_files(path))
            (case,) = done.json()
            wanted = expected[path.name]
            alike = pytest.approx(dict(wanted.probabilities), abs=1e-6)
            return bool(case["label"] == wanted.label and case["answer"]["probabilities"] == alike)

        assert all(pool.map(ask, some))


def test_a_page_that_people_use(server: Server, tmp_path: Path) -> None:
    """Drop an image, a series and a volume; look, label, draw, read blind; by keys, on a phone."""
    write_series(tmp_path / "series", "meningioma", 3, slices=6)
    head = Head("glioma", 5)
    volume = np.stack([np.asarray(head.slice(n).pixels) for n in range(5)], -1).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 1, 5, 1])), tmp_path / "volume.nii.gz")
    Image.fromarray(head.slice(2).pixels).save(tmp_path / "slice.png")
    files = {
        "image": str(tmp_path / "slice.png"),
        "series": sorted(map(str, (tmp_path / "series").iterdir())),
        "volume": str(tmp_path / "volume.nii.gz"),
    }
    (tmp_path / "files.json").write_text(json.dumps(files))
    seen = run_in_browser("reader.mjs", f"{server.address}/", tmp_path / "files.json")
    assert seen["requests"] == [], "nothing is asked of any other server"
    assert seen["errors"] == []
    assert all(wrong == [] for wrong in seen["axe"].values()), seen["axe"]
    assert all(excess <= 0 for excess in seen["excess"].values()), seen["excess"]
    assert seen["seconds"] < 10  # beside other tests; 0.3 alone
    assert seen["plain"]["coloured"] == 0 < seen["mapped"]["coloured"]
    assert seen["darker"]["grey"] != seen["plain"]["grey"]
    assert seen["kept"].startswith("1 ")
    assert seen["boxed"]["coloured"] > 100
    assert seen["slices"].endswith("of 6")
    assert seen["scrolled"].endswith("of 6")
    assert seen["slices"] != seen["scrolled"]
    drawn, dragged = seen["drawn"], seen["dragged"]
    assert dragged["width"] == pytest.approx(drawn["width"] + 40 / seen["width"], abs=0.01)
    assert dragged["x_center"] == pytest.approx(drawn["x_center"] - 10 / seen["width"], abs=0.01)
    assert dragged["height"] == pytest.approx(drawn["height"], abs=1e-6)
    assert seen["learned"] == 6
    assert seen["places"] == 12
    assert seen["filed"].startswith("Filed as ")
    assert seen["nameless"].startswith("#")
    assert seen["done"].startswith("1 of 12 reviewed: tiny (")
    assert (seen["hidden"], seen["listed"]) == (0, "answered")
    assert "format" in seen["refused"]
    assert seen["keys"] == 1


def test_the_built_page_is_of_its_source() -> None:
    """Whoever changes the source builds the page: its digest stands in what was built."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in [*sorted((root / "web").glob("src/*")), root / "web" / "index.html"]:
        digest.update(path.read_bytes())
    built = (root / "src/tumorscope/serve/page/index.html").read_text(encoding="utf-8")
    assert digest.hexdigest()[:16] in built, "run 'make page'"
