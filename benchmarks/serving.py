"""The server under load: 16 clients at once, beside the bare runtime on the same images."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

import tumorscope
from benchmarks.measure import DATA
from benchmarks.predicting import SIZE, trained
from tumorscope.export.graph import split_graph
from tumorscope.inference.bundle import GRAPH, open_bundle
from tumorscope.records import Prediction

REQUESTS, CLIENTS, BATCH = 2000, 16, 4
BOUNDARY = "a-boundary-that-no-file-holds"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def measure() -> Iterator[str]:
    """Yield a row: requests a second, times of an answer, what was lost or wrong, and the bare."""
    files = sorted((DATA / "sartaj" / "Training").rglob("*.jpg"))[::5][:500]
    wanted = [files[n % len(files)] for n in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as name:
        run = trained("mobilenetv2-staged", SIZE, Path(name))
        predictor = tumorscope.Predictor.load(run)
        expected = {own.input: own for own in predictor.predict(map(str, files))}
        bare = (bare_pace(run, files, decoded=False), bare_pace(run, files, decoded=True))
        with socket.socket() as own:
            own.bind(("127.0.0.1", 0))
            port = own.getsockname()[1]
        words = ["serve", str(run), "--port", str(port), "--log", f"{name}/log"]
        server = subprocess.Popen(
            [sys.executable, "-m", "tumorscope", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port)
            yield loaded(port, wanted, expected, bare)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def bare_pace(run: Path, files: list[Path], *, decoded: bool) -> float:
    """Return images a second of the bare runtime on files that Pillow reads, or has read before."""
    network = split_graph(onnx.load_from_string(open_bundle(run).read(GRAPH))).network
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def read(path: Path) -> NDArray[np.float32]:
        """Read a file as anyone would."""
        with Image.open(path) as image:
            small = image.convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        return np.asarray(small, np.float32)

    ready = {path: read(path) for path in files}

    def answer(some: list[Path]) -> None:
        """Answer for some files."""
        levels = np.stack([ready[path] if decoded else read(path) for path in some])
        session.run(None, {"pixels": levels})

    parts = [files[n : n + BATCH] for n in range(0, len(files), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        start = time.perf_counter()
        list(pool.map(answer, parts))
        return len(files) / (time.perf_counter() - start)


def loaded(
    port: int, wanted: list[Path], expected: dict[str, Prediction], bare: tuple[float, float]
) -> str:
    """Return the row. The clients do little, since they share the cores with the server."""
    forms = {path: as_form(path) for path in set(wanted)}
    own = threading.local()

    def ask(path: Path) -> tuple[float, bool, bool]:
        """Return how long an answer took, whether it came, and whether it was right."""
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        begin = time.perf_counter()
        own.connection.request("POST", "/api/cases", forms[path], FORM)
        done = own.connection.getresponse()
        content = done.read()
        seconds = time.perf_counter() - begin
        if done.status != 201:
            return seconds, False, False
        (case,) = json.loads(content)
        wanted_answer = expected[str(path)]
        answer = case["answer"] or {"probabilities": {}}
        near = all(
            abs(answer["probabilities"].get(name, 9) - chance) < 1e-5
            for name, chance in wanted_answer.probabilities.items()
        )
        return seconds, True, near and case["label"] == wanted_answer.label

    with ThreadPoolExecutor(CLIENTS) as pool:
        start = time.perf_counter()
        answers = list(pool.map(ask, wanted))
        pace = len(wanted) / (time.perf_counter() - start)
    times = 1000 * np.quantile([seconds for seconds, _, _ in answers], [0.5, 0.95, 0.99])
    lost = sum(not came for _, came, _ in answers)
    wrong = sum(came and not right for _, came, right in answers)
    told = " / ".join(f"{own:.0f}" for own in times)
    files, ready = bare
    return (
        f"| {pace:.0f} | {told} ms | {lost} | {wrong} | {files:.0f} | {pace / files:.0%} "
        f"| {ready:.0f} | {pace / ready:.0%} |"
    )


def as_form(path: Path) -> bytes:
    """Return a file as a form sends it."""
    head = f'Content-Disposition: form-data; name="files"; filename="{path.name}"'
    start, end = f"--{BOUNDARY}\r\n{head}\r\n\r\n", f"\r\n--{BOUNDARY}--\r\n"
    return start.encode() + path.read_bytes() + end.encode()


def wait_for(port: int) -> None:
    """Wait until the server answers."""
    for _ in range(100):
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).request("GET", "/api/health")
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The server does not start.")
