"""Tables and sentences on a terminal of 80 columns."""

import io
import re
import sys

import pytest

from tumorscope.support.terminal import show_table, show_text


class Terminal(io.StringIO):
    """Standard output that somebody looks at."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.mark.parametrize("columns", ["80", "200"])
def test_paths_are_whole_and_words_unbroken(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """A long path goes on in the next line, and every character of it is there."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", columns)
    path = "/archive" + "/patient-with-a-long-number" * 4 + "/slice.png"
    note = "or pituitary_tumor, meningioma_tumor"
    rows = [(path, "glioma_tumor", "0.650", note), ("x.png", "no_tumor", "0.9", "")]
    show_table(("input", "class", "probability", "note"), rows)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80
    wide = lines[0].index("class")
    assert "".join(line[:wide].strip() for line in lines[1:-1]) == path
    for word in ("glioma_tumor", "pituitary_tumor", "meningioma_tumor"):
        assert any(word in line for line in lines)


def test_sentences_are_cut_between_words_and_paths_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe a sentence is one line, whatever its length."""
    path = "runs/" + "a-long-name" * 9
    sentence = (
        f"- The model is right on 60.5% (38.6% to 78.9%) of 38 test images: {path} holds them."
    )
    monkeypatch.setenv("COLUMNS", "100")
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        show_text(sentence, hang="  ")
        lines = stream.getvalue().splitlines()
        assert " ".join(line.strip() for line in lines) == sentence
        if stream.isatty():
            before, alone, after = lines
            assert alone == f"  {path}"
            assert after == "  holds them."
            assert len(before) <= 80
        else:
            assert len(lines) == 1
