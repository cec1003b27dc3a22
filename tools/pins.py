"""Write the pinned requirement files: pins.py [FOLDER OF CPU BUILDS OF PYTORCH].

`uv pip compile` resolves for every platform at once. Two things are added to what it writes.
NVIDIA's libraries, which only a CUDA build of PyTorch loads, go to a file of their own; and the
CPU builds of the same PyTorch, which are a tenth of the size, get a file that is tried first where
there is no GPU.
"""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
CUDA = re.compile(r"(nvidia-|cuda-|triton)")


def compile_pins(*options: str) -> str:
    """Return what `uv pip compile` writes for pyproject.toml with these options."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--generate-hashes"]
    command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--quiet", "--constraint", "requirements/pins.in", *options, "pyproject.toml"]
    run = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=REQUIREMENTS.parent
    )
    return run.stdout


def blocks(text: str) -> list[str]:
    """Split a requirements file into one block a package: its line and its hashes."""
    return re.split(r"\n(?=[A-Za-z0-9])", text.strip())


def cpu_builds(everything: list[str], wheels: list[Path]) -> list[str]:
    """Pin the CPU builds, among these wheels, of the PyTorch that was resolved."""
    version = next(m[1] for b in everything if (m := re.match(r"torch==([^ ;]+)", b)))
    chosen = [w for w in wheels if w.name.startswith(f"torch-{version}+cpu-")]
    digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in chosen]
    return [" \\\n    ".join([f"torch=={version}+cpu", *(f"--hash=sha256:{d}" for d in digests)])]


def write(name: str, chosen: list[str]) -> None:
    """Write one requirements file and say so."""
    (REQUIREMENTS / name).write_text("\n".join(chosen) + "\n", encoding="utf-8")
    print(f"{name}: {len(chosen)} packages")


def main() -> None:
    """Compile both sets of pins and split off what CUDA needs."""
    wheels = sorted(Path(sys.argv[1]).glob("torch-*.whl")) if len(sys.argv) > 1 else []
    everything = blocks(compile_pins("--all-extras", "--group", "dev"))
    benchmarks = blocks(compile_pins("--all-extras", "--group", "dev", "--group", "bench"))
    write("base.txt", blocks(compile_pins()))
    write("dev.txt", [b for b in everything if not CUDA.match(b)])
    fuzzing = blocks(compile_pins("--all-extras", "--group", "dev", "--group", "fuzz"))
    write("fuzz.txt", [b for b in fuzzing if b not in everything])
    write("bench.txt", [b for b in benchmarks if b not in everything])
    if wheels:
        write("torch-cpu.txt", cpu_builds(everything, wheels))
    write("cuda.txt", [b for b in everything if CUDA.match(b)])


if __name__ == "__main__":
    main()
