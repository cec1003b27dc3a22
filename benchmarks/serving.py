"""The server under load: 16 clients at once, beside the bare runtime on the same images."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import onnx
import onnxruntime

import tumorscope
from benchmarks.measure import DATA
from benchmarks.predicting import SIZE, trained
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.export.graph import split_graph
from tumorscope.inference.bundle import GRAPH, open_bundle
from tumorscope.records import Prediction

REQUESTS, CLIENTS, BATCH = 2000, 16, 4


def measure() -> Iterator[str]:
    """Yield a row: requests a second, times of an answer, what was lost or wrong, and the bare."""
    files = sorted((DATA / "sartaj" / "Training").rglob("*.jpg"))[::5][:500]
    wanted = [files[n % len(files)] for n in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as name:
        run = trained("mobilenetv2-staged", SIZE, Path(name))
        predictor = tumorscope.Predictor.load(run)
        expected = {own.input: own for own in predictor.predict(map(str, files))}
        bare = bare_pace(run, files)
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
            yield loaded(f"http://127.0.0.1:{port}", wanted, expected, bare)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def bare_pace(run: Path, files: list[Path]) -> float:
    """Return images a second of the bare runtime, on images that are decoded and resized before."""
    network = split_graph(onnx.load_from_string(open_bundle(run).read(GRAPH))).network
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    levels = np.stack([resize(read_image(path).pixels, SIZE) for path in files]).astype(np.float32)
    parts = [levels[n : n + BATCH] for n in range(0, len(levels), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        start = time.perf_counter()
        list(pool.map(lambda part: session.run(None, {"pixels": part}), parts))
        return len(levels) / (time.perf_counter() - start)


def loaded(address: str, wanted: list[Path], expected: dict[str, Prediction], bare: float) -> str:
    """Return the row."""
    with httpx.Client(
        base_url=address, timeout=60, limits=httpx.Limits(max_connections=CLIENTS)
    ) as client:
        for _ in range(100):
            try:
                client.get("/api/health")
                break
            except httpx.HTTPError:
                time.sleep(0.2)

        def ask(path: Path) -> tuple[float, bool, bool]:
            """Return how long an answer took, whether it came, and whether it was right."""
            begin = time.perf_counter()
            done = client.post("/api/cases", files={"files": (path.name, path.read_bytes())})
            seconds = time.perf_counter() - begin
            if done.status_code != 201:
                return seconds, False, False
            (case,) = done.json()
            own = expected[str(path)]
            answer = case["answer"] or {"probabilities": {}}
            near = all(
                abs(answer["probabilities"].get(name, 9) - chance) < 1e-5
                for name, chance in own.probabilities.items()
            )
            return seconds, True, near and case["label"] == own.label

        with ThreadPoolExecutor(CLIENTS) as pool:
            start = time.perf_counter()
            answers = list(pool.map(ask, wanted))
            pace = len(wanted) / (time.perf_counter() - start)
    times = 1000 * np.quantile([seconds for seconds, _, _ in answers], [0.5, 0.95, 0.99])
    lost = sum(not came for _, came, _ in answers)
    wrong = sum(came and not right for _, came, right in answers)
    told = " / ".join(f"{own:.0f}" for own in times)
    return f"| {pace:.0f} | {told} ms | {lost} | {wrong} | {bare:.0f} | {pace / bare:.0%} |"
