import os
from pathlib import Path

import pytest

from pipeline import executor, params
from pipeline.lookup import ConfigurationError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("engine: {slurm: {}}", r"unknown executor component 'slurm', expected one of \['dask'"),
        ("engine: {local: {workers: 3}}", "engine.local: unknown key workers"),
        ("engine: {dask: {}}", "engine.dask: scheduler is missing"),
        ("engine: {dask: {scheduler: host}}", "engine.dask: scheduler = 'host'"),
        ("engine: {dask: {scheduler: 'tcp://h:1; rm'}}", "engine.dask: scheduler"),
        ("engine: {dask: {scheduler: 'tcp://h:1'}, local: {}}", "expected one of them"),
    ],
)
def test_an_engine_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        executor.choose(params.load_section(path, "engine"))


def test_params_choose_the_engine_unless_the_environment_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("engine: {dask: {scheduler: 'tcp://[::1]:8786', patience: 5}}")
    monkeypatch.setenv("SERFLOW_PATIENCE", "")
    monkeypatch.delenv("SERFLOW_PATIENCE")
    monkeypatch.setenv("SERFLOW_ENGINE", "local")
    executor.choose(params.load_section(path, "engine"))
    assert os.environ["SERFLOW_ENGINE"] == "local"
    monkeypatch.delenv("SERFLOW_ENGINE")
    executor.choose(params.load_section(path, "engine"))
    assert os.environ["SERFLOW_ENGINE"] == "tcp://[::1]:8786"
    assert os.environ["SERFLOW_PATIENCE"] == "5.0"
    assert params.load_section(tmp_path / "absent.yaml", "engine") == {}
