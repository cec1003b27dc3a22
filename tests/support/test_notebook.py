"""In a notebook, results show themselves as tables and work says how far it is."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

CELL = "import tumorscope\ntumorscope.audit(data={data!r}, out={out!r})"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own packages
def test_a_real_kernel_shows_progress_and_the_result(
    class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    """The last value of a cell is a table with the path of its page; a mistake is a sentence."""
    data, out = class_folders(glioma=6, no_tumor=6), tmp_path / "audit"
    source = CELL.format(data=str(data), out=str(out))
    sources = source, "tumorscope.audit('nowhere')"
    cells = [nbformat.v4.new_code_cell(own) for own in sources]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    (mistake,) = notebook.cells[1].outputs
    assert len(mistake["traceback"]) == 1
    assert mistake["traceback"][0].startswith("DataError: nowhere")
    *reports, value = notebook.cells[0].outputs
    shown = value["data"]["text/html"]
    assert "<caption>Audit of data</caption>" in shown
    assert "<th>images</th><td>12 (0 left out)</td>" in shown
    assert str(out / "audit.html") in shown
    said = "".join(str(output.get("text", output.get("data"))) for output in reports)
    assert "reading images: 12 images in" in said
