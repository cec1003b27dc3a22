"""A table as people save it: any separator, any of the usual encodings, or an Excel workbook."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.errors import DataError
from tumorscope.support.extras import require_extra

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx")
SEPARATORS = ",;\t|"
WORKBOOK = b"PK\x03\x04"
MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class Sheet:
    """A table of text.

    Attributes:
        path: its file.
        header: names of the columns, without spaces around them.
        lines: the number of each row's line in the file, and its cells, as many as there are
            columns, without spaces around them; rows without any text are left out.
    """

    path: Path
    header: tuple[str, ...]
    lines: tuple[tuple[int, tuple[str, ...]], ...]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        place = self.header.index(name)
        return [cells[place] for _, cells in self.lines]


def read_sheet(path: Path, most_lines: int | None = None) -> Sheet:
    """Read a table by its content, whatever it is called.

    Args:
        path: the file.
        most_lines: read no more rows than these.

    Raises:
        DataError: it cannot be read, has no header, or names a column twice.
        MissingExtra: it is a workbook, and openpyxl is not installed.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES:,} bytes: that is no manifest.")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    rows = _workbook(path, content) if content[:4] == WORKBOOK else _text_rows(path, content)
    return _sheet(path, rows if most_lines is None else rows[: most_lines + 1])


def _sheet(path: Path, rows: Sequence[Sequence[str]]) -> Sheet:
    if not rows or not any(cell.strip() for cell in rows[0]):
        raise DataError(f"{path} has no header: its first line must name the columns.")
    header = tuple(cell.strip() for cell in rows[0])
    twice = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if twice:
        raise DataError(f"{path} names the column '{twice[0]}' twice: rename one of them.")
    width = len(header)
    lines = []
    for number, row in enumerate(rows[1:], 2):
        cells = tuple(cell.strip() for cell in row[:width])
        if any(cells):
            lines.append((number, cells + ("",) * (width - len(cells))))
    return Sheet(path, header, tuple(lines))


def _text_rows(path: Path, content: bytes) -> list[list[str]]:
    text = _decoded(content)
    if "\0" in text[:4096]:
        raise DataError(f"{path} is no text: save it as a CSV file in UTF-8.")
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))
    except csv.Error as error:
        raise DataError(f"{path} is not a readable table ({error}).") from error


def _decoded(content: bytes) -> str:
    """Return the text of a file: UTF-16 and UTF-8 by their marks, UTF-8, or Windows' code page."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _separator(text: str) -> str:
    """Return the sign that the header has most of; a comma where it has none."""
    header = text.split("\n", 1)[0]
    return max(SEPARATORS, key=header.count)


def _workbook(path: Path, content: bytes) -> list[list[str]]:
    require_extra("excel", f"Reading {path.name}")
    import openpyxl  # noqa: PLC0415 (an extra)

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        rows = book.worksheets[0].iter_rows(values_only=True)
        return [["" if cell is None else str(cell) for cell in row] for row in rows]
    except Exception as error:  # whatever a damaged workbook makes the reader raise
        raise DataError(
            f"{path} is not a readable Excel workbook ({error}): save it as a CSV file."
        ) from error
