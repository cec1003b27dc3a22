"""Archives: unpacked into the cache, once, within bounds, and nothing outside of their folder."""

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from tumorscope.data.layouts.kept import made_once, state_of
from tumorscope.errors import DataError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_SQUEEZED = 200  # times that the content may be larger than the archive
SMALL = 1_000_000_000  # bytes of content that are never too many
MOST_FILES = 2_000_000
RESERVE = 1_000_000_000  # bytes of disk that stay free

DAMAGED = (EOFError, RuntimeError, zlib.error, lzma.LZMAError)
Member = tuple[str, int, Callable[[Path], None]]  # its path, its size, and what writes it


def is_archive(path: Path) -> bool:
    """Say whether a file is called like an archive."""
    return path.name.lower().endswith(ENDINGS)


def unpacked(path: Path) -> Path:
    """Return the folder with the content of an archive.

    Raises:
        DataError: it is damaged, too large, or has a file that would lie outside.
    """
    key = (str(path.resolve()), state_of(path.parent, [path.name]))
    try:
        return made_once(key, lambda folder: _unpack(path, folder))
    except (OSError, zipfile.BadZipFile, tarfile.TarError, *DAMAGED) as error:
        raise DataError(f"{path} is no archive that can be read ({error}).") from error


def _unpack(path: Path, folder: Path) -> None:
    limit = max(SMALL, MOST_SQUEEZED * path.stat().st_size)
    free = shutil.disk_usage(folder).free - RESERVE
    total = 0
    reader = _from_zip if zipfile.is_zipfile(path) else _from_tar
    for number, (name, size, write) in enumerate(reader(path)):
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in name:
            raise DataError(f"{path} holds {name!r}, which lies outside of it: it is not opened.")
        total += size
        if total > limit or number > MOST_FILES:
            raise DataError(f"{path} holds far more than its size says: it is not opened.")
        if total > free:
            raise DataError(f"{path} does not fit the disk of the cache: set TUMORSCOPE_CACHE.")
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        write(target)


def _from_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, info.file_size, _zip_writer(archive, info)


def _zip_writer(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        """Copy a member, no longer than its entry says."""
        with archive.open(info) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)

    return write


def _from_tar(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for info in archive:
            if info.isfile():  # links and devices are passed over
                yield info.name, info.size, _tar_writer(archive, info)


def _tar_writer(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        """Copy a member."""
        source = archive.extractfile(info)
        if source is not None:
            with source, target.open("wb") as file:
                shutil.copyfileobj(source, file)

    return write
