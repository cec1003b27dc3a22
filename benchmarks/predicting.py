"""Predicting: from a cold start, against the bare runtime and eager PyTorch, and in flat memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import tumorscope
from benchmarks.measure import DATA, Comparison, compare_all
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.export.graph import split_graph
from tumorscope.inference.bundle import GRAPH, open_bundle
from tumorscope.inference.predict import READ_BATCH, Predictor
from tumorscope.inference.runtimes.pytorch import load_deployed

SIZE, IMAGES, STREAMED = 224, 480, 100_000
RECIPES = ("mobilenetv2-staged", "resnet18")
NAMES = {"mobilenetv2-staged": "MobileNetV2", "resnet18": "ResNet-18"}


def throughput() -> Iterator[str]:
    """Yield, for two networks, what reading files, resizing and answering costs beside peers."""
    files = sorted((DATA / "sartaj" / "Training").rglob("*.jpg"))[::5][:IMAGES]
    for recipe in RECIPES:
        with tempfile.TemporaryDirectory() as name:
            folder = trained(recipe, SIZE, Path(name))
            for comparison in beside_peers(NAMES[recipe], folder, files):
                yield comparison.row()
            yield share_of_reading(NAMES[recipe], Predictor.load(folder, threads=1), files)


def trained(recipe: str, size: int, folder: Path) -> Path:
    """Return a run of one epoch: what it answers does not matter here."""
    settings = [f"image_size={size}", "pretrained=false"]
    settings += ["stages.0.epochs=1", "stages.1.epochs=1"] if "staged" in recipe else ["epochs=1"]
    return tumorscope.train(
        data=DATA / "yesno", recipe=recipe, overrides=settings, out=folder / "run"
    ).folder


def beside_peers(name: str, folder: Path, files: list[Path]) -> list[Comparison]:
    """Compare with the bare runtime, and with eager PyTorch, on batches that are prepared."""
    bundle = open_bundle(folder)
    predictor = Predictor(bundle, threads=1)
    pixels = np.stack([resize(read_image(path).pixels, SIZE) for path in files])
    levels = pixels.astype(np.float32)
    network = split_graph(onnx.load_from_string(bundle.read(GRAPH))).network
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    deployed = load_deployed(bundle)
    deployed.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def bare() -> None:
        for batch in batches(levels):
            session.run(None, {"pixels": batch})

    def eager() -> None:
        with torch.inference_mode():
            for batch in batches(levels):
                deployed.network(torch.from_numpy(batch))

    def ours() -> None:
        for _ in predictor.predict(files, workers=os.cpu_count()):
            pass

    what = f"{name}, {len(files)} files"
    found = compare_all([(f"{what}, beside the bare runtime", "≤ 1.15", ours)], bare)
    return [*found, *compare_all([(f"{what}, beside eager PyTorch", "≤ 0.8", ours)], eager)]


def batches(levels: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield some images at a time."""
    for start in range(0, len(levels), READ_BATCH):
        yield levels[start : start + READ_BATCH]


def share_of_reading(name: str, predictor: Predictor, files: list[Path]) -> str:
    """Return a row on how much of the work is reading and resizing."""

    def read(path: Path) -> NDArray[np.uint8]:
        return resize(read_image(path).pixels, SIZE)

    def reading() -> None:
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(read, files):
                pass

    def predicting() -> None:
        for _ in predictor.predict(files, workers=os.cpu_count()):
            pass

    alone, whole = seconds(reading), seconds(predicting)
    return (
        f"| {name}, of that reading and resizing | {alone:.2f} s | {whole:.2f} s "
        f"| {alone / whole:.0%} of the whole | – |"
    )


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """Return the median time of some calls."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return median(found)


def start() -> Iterator[str]:
    """Yield how long the command line takes for one image, from nothing."""
    image = sorted((DATA / "yesno" / "yes").iterdir())[0]
    for recipe in RECIPES:
        with tempfile.TemporaryDirectory() as name:
            folder = trained(recipe, SIZE, Path(name))
            command = [sys.executable, "-m", "tumorscope", "predict", str(folder), str(image)]
            times = []
            for _ in range(6):
                began = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times.append(time.perf_counter() - began)
            row = f"{median(times[1:]):.2f} s ({min(times[1:]):.2f} – {max(times[1:]):.2f})"
            yield f"| {NAMES[recipe]} | {times[0]:.2f} s | {row} | ≤ 2.5 s |"


def memory() -> Iterator[str]:
    """Yield private memory while 100,000 drawn images stream through."""
    with tempfile.TemporaryDirectory() as name:
        folder = trained("resnet18", 32, Path(name))
        command = [sys.executable, "-m", "benchmarks.predicting", str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    yield from done.stdout.splitlines()


def stream(folder: Path) -> None:
    """Answer drawn images one after another and print memory on the way."""
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, 256, (64, 256, 256), np.uint8)
    endless = (drawn[number % len(drawn)] for number in range(STREAMED))
    began = time.perf_counter()
    predictor = Predictor.load(folder, threads=1)
    for number, _ in enumerate(predictor.predict(endless, workers=os.cpu_count()), 1):
        if number in (1000, 10_000, STREAMED):
            pace = number / (time.perf_counter() - began)
            print(f"| {number:,} | {private() / 1e6:.0f} MB | {pace:.0f} |")


def private() -> int:
    """Return the private memory of this process, in bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    told = [line.split() for line in lines if line.startswith("Private_")]
    return 1024 * sum(int(words[1]) for words in told)


if __name__ == "__main__":
    stream(Path(sys.argv[1]))
