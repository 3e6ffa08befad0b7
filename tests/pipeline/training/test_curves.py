import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.lookup import ConfigurationError
from pipeline.training.curves import log_curves
from pipeline.training.schedule import Outcome


def test_curves_are_means_over_folds(tmp_path: Path) -> None:
    histories = [
        ({"epoch": 1, "valid_ua": 0.2}, {"epoch": 2, "valid_ua": 0.4}),
        ({"epoch": 1, "valid_ua": 0.6},),
    ]
    outcomes = [Outcome(fold, 0, 1, 0.0, history) for fold, history in enumerate(histories)]
    log_curves(tmp_path / "live", outcomes)
    (written,) = (tmp_path / "live").rglob("ua.tsv")
    values = [float(line.split("\t")[-1]) for line in written.read_text().splitlines()[1:]]
    assert values == pytest.approx([0.4, 0.4])


def test_links_into_a_cache_are_removed_never_written(tmp_path: Path) -> None:
    def outcome(value: float) -> list[Outcome]:
        return [Outcome(0, 0, 1, 0.0, ({"epoch": 1, "train_loss": value, "valid_ua": value},))]

    live = tmp_path / "live"
    log_curves(live, outcome(0.5))
    (live / "plots" / "of_another_experiment.tsv").write_text("x")
    cached = {}
    for number, path in enumerate(sorted(path for path in live.rglob("*") if path.is_file())):
        copy = tmp_path / str(number)
        os.link(path, copy)
        copy.chmod(0o444)
        cached[copy] = copy.read_bytes()
    log_curves(live, outcome(0.25))
    assert {copy: copy.read_bytes() for copy in cached} == cached
    written = {path.relative_to(live).as_posix() for path in live.rglob("*") if path.is_file()}
    curves = {"plots/metrics/train/loss.tsv", "plots/metrics/valid/ua.tsv"}
    assert written == {"metrics.json", *curves}
    assert json.loads((live / "metrics.json").read_text())["valid"]["ua"] == 0.25


def test_a_repository_without_a_commit_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, check=True)
    outcome = Outcome(0, 0, 1, 0.0, ({"epoch": 1, "train_loss": 1.0},))
    with pytest.raises(ConfigurationError, match="it needs a repository with a commit"):
        log_curves(tmp_path / "live", [outcome])
