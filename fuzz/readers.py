"""Feed the readers and the bundle loader with bytes that a fuzzer chooses.

    make fuzz                                  # or: fuzz/readers.py SECONDS [CORPUS]

Coverage-guided, by atheris. What the code refuses in words is fine; any other exception ends the
run and leaves the bytes in a file beside it.
"""

import contextlib
import sys
import tempfile
import zipfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tumorscope", "PIL"]):
    from PIL import Image

    from tumorscope.data.phantom import write_phantoms
    from tumorscope.data.read.image import FORMATS, decode_image
    from tumorscope.errors import TumorscopeError
    from tumorscope.inference.bundle import CARD, FILES, open_bundle

FOLDER = Path(tempfile.mkdtemp(prefix="tumorscope-fuzz-"))


def try_bytes(content: bytes) -> None:
    """Read bytes as an image, as a card and as a zip."""
    (FOLDER / CARD).write_bytes(content)
    (FOLDER / "bundle.zip").write_bytes(content)
    for read in (
        lambda: decode_image(content),
        lambda: open_bundle(FOLDER),
        lambda: open_bundle(FOLDER / "bundle.zip").read("model.onnx"),
    ):
        with contextlib.suppress(TumorscopeError):
            read()


def plant(seeds: Path) -> Path:
    """Write a small file of each kind that is read, to start from."""
    manifest = write_phantoms(FOLDER / "phantoms", patients=1, slices=1)
    picture = Image.open(next(manifest.parent.rglob("*.png"))).resize((24, 20))
    seeds.mkdir()
    for kind in FORMATS:
        picture.save(seeds / kind, kind)
    Image.new("I;16", (20, 9), 700).save(seeds / "deep", "PNG")
    Image.new("P", (20, 9), 7).save(seeds / "palette", "PNG", transparency=7)
    with zipfile.ZipFile(seeds / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.writestr(name, '{"format": 2, "classes": ["a", "b"]}')
    return seeds


def main() -> None:
    """Fuzz for so many seconds, from drawn slices and from what the caller adds."""
    seconds, *corpus = sys.argv[1:]
    seeds = plant(FOLDER / "seeds")
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *corpus, str(seeds)], try_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
