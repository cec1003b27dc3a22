"""The list of what was trained."""

import json
import shutil
from pathlib import Path

import pytest

import tumorscope
from tests.conftest import Command


def test_runs_are_listed_newest_first(
    tiny_run: tumorscope.Run, command: Command, tmp_path: Path
) -> None:
    """Finished, unfinished and damaged ones with what is known; other folders are passed over."""
    top = tmp_path / "runs"
    for name in ("done", "stopped", "damaged"):
        shutil.copytree(tiny_run.folder, top / name, ignore=shutil.ignore_patterns("checkpoints"))
    (top / "stopped" / "results.json").unlink()
    (top / "damaged" / "environment.json").write_text("{}")
    newer = json.loads((top / "stopped" / "environment.json").read_text())
    newer["started"] = "2999-01-01T00:00:00+00:00"
    (top / "stopped" / "environment.json").write_text(json.dumps(newer))
    (top / "notes").mkdir()
    shutil.move(top / "done", top / "demo-1" / "done")
    listed = tumorscope.list_runs(top)
    assert [run.folder.name for run in listed] == ["stopped", "done", "damaged"]
    assert [run.state for run in listed] == ["unfinished", "finished", "unreadable"]
    assert listed[1].accuracy == tiny_run.results.judged.accuracy
    assert (listed[1].recipe, listed[1].kind) == ("resnet18", "run")
    shown = command("runs").stdout.splitlines()
    data = listed[1].data
    assert shown[1].split("\t")[:5] == ["1", data, "resnet18", "run", "unfinished"]
    assert f"2: {Path('runs', 'demo-1', 'done')}" in shown
    (_, done, _) = json.loads(command("runs", "--json").stdout)
    assert done["accuracy"] == tiny_run.results.judged.accuracy.model_dump()


def test_no_runs_is_a_sentence(command: Command, tmp_path: Path) -> None:
    """Without the folder, and with an empty one."""
    missing = command("runs")
    assert missing.returncode == 2
    assert "'tumorscope train DATA' makes runs/" in missing.stderr
    (tmp_path / "runs").mkdir()
    assert "holds no run yet" in command("runs").stdout


def test_a_page_is_opened_where_there_is_a_browser(
    tiny_run: tumorscope.Run, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--open` hands the report's address to the browser, or says that there is none."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    ran = command("evaluate", "run", "--quiet", "--open")
    assert ran.returncode == 0, ran.stderr
    assert seen.read_text().strip() == (tmp_path / "run" / "report.html").resolve().as_uri()
