import pytest

from pipeline.lookup import ConfigurationError
from pipeline.report import terminal


def test_terminal_shows_the_table(workplace, tmp_path, capsys, monkeypatch):
    models, data = workplace
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)
    terminal.show(models, data)
    shown = capsys.readouterr().out
    assert "fg_cme-demo" in shown
    assert "synthetic" in shown and "git add" not in shown
    with pytest.raises(ConfigurationError, match="run `dvc repro`"):
        terminal.show(tmp_path / "nothing", data)


def test_a_build_is_told_how_to_be_shared(workplace, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    (tmp_path / "dvc.lock").touch()
    terminal.show(*workplace)
    assert "git add dvc.lock data models && git commit, then dvc push" in capsys.readouterr().out
