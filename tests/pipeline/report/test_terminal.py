import pytest

from pipeline.lookup import ConfigurationError
from pipeline.report import terminal


def test_terminal_shows_the_table(workplace, tmp_path, capsys, monkeypatch):
    models, data = workplace
    monkeypatch.setenv("COLUMNS", "110")
    terminal.show(models, data)
    shown = capsys.readouterr().out
    assert "fg_cme-demo" in shown
    assert "synthetic" in shown
    with pytest.raises(ConfigurationError, match="run `dvc repro`"):
        terminal.show(tmp_path / "nothing", data)
