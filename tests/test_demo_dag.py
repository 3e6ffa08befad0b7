"""The whole way, as a newcomer goes it: the demo corpus through every stage of the DAG,
with one epoch of training.
"""

import json
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.resources import browser, fold_rows, inspection
from tests.resources.project import commit, copy, executed, must, run

ROOT = Path(__file__).parents[1]
EXPERIMENT = "fg_cme-demo"


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with one experiment of one epoch, built by `dvc repro`."""
    where = tmp_path_factory.mktemp("project")
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    kept = document["experiments"][EXPERIMENT]
    document["experiments"] = {EXPERIMENT: {**kept, "training": {"epochs": 1}}}
    document["corpora"] = {"demo": document["corpora"]["demo"]}
    copy(where, document)
    must(where, "dvc", "repro", f"evaluate@{EXPERIMENT}")
    return where


def test_every_stage_accounts_for_every_utterance(project: Path) -> None:
    accounts = [read(path) for path in sorted((project / "data").glob("*/demo/**/*metrics.json"))]
    assert len(accounts) == 5
    for account in accounts:
        assert account["utterances"] == account["used"] + account["rejected"] == 500


def test_word_starts_are_near_the_truth(project: Path) -> None:
    errors = read(project / "data/spans/demo/pocketsphinx/metrics.json")["against_given"]
    assert errors["n"] > 4000
    assert errors["median_ms"] < 15
    assert errors["within_50ms"] > 0.9


def test_metrics_and_predictions_cover_every_fold(project: Path) -> None:
    metrics = read(project / "models" / EXPERIMENT / "metrics.json")
    assert {
        "wa",
        "ua",
        "macro_f1",
        "recall",
        "wa_ci95",
        "ua_ci95",
        "n",
        "folds",
        "seeds",
        "test_selected",
    } <= set(metrics)
    assert metrics["ua_ci95"]["low"] <= metrics["ua"] <= metrics["ua_ci95"]["high"]
    predictions = pq.read_table(project / "models" / EXPERIMENT / "predictions.parquet")
    assert (
        len(predictions) == len(set(predictions["utterance_id"].to_pylist())) == metrics["n"] == 500
    )
    assert metrics["folds"] == 5


def test_training_saw_no_test_label(project: Path) -> None:
    rows = fold_rows.read(project / "data/splits/demo/session/folds.parquet")
    assert {subset for _, subset, _, _ in rows} == {"train", "valid", "test"}
    assert all((emotion is None) == (subset == "test") for _, subset, _, emotion in rows)
    assert (
        "labels.parquet"
        not in (project / "dvc.lock").read_text().split("train@")[1].split("evaluate@")[0]
    )


def test_nothing_is_built_twice(project: Path) -> None:
    began = time.monotonic()
    said = must(project, "dvc", "repro", f"evaluate@{EXPERIMENT}")
    assert "up to date" in said
    assert executed(said) == []
    assert time.monotonic() - began < 30  # 2 s alone; a busy machine may take longer


def test_report_stands_alone(project: Path) -> None:
    must(project, "dvc", "repro", "report")
    page = (project / "report/index.html").read_text()
    assert EXPERIMENT in page
    assert "synthetic" in page.lower()
    assert 'src="http' not in page and 'href="http' not in page


def test_three_clicks_answer_what_one_asks_of_the_report(project: Path) -> None:
    must(project, "dvc", "repro", "report")
    rows = pq.read_table(project / "models" / EXPERIMENT / "predictions.parquet").to_pylist()
    with browser.chromium() as chromium:
        for sad in ("neutral", "angry", "happy", "sad"):
            if any((row["label"], row["predicted"]) == ("sad", sad) for row in rows):
                inspection.mistakes(chromium, project, EXPERIMENT, "sad", sad)
                break
        inspection.speaker(chromium, project, EXPERIMENT)


def test_prediction_of_a_recording(project: Path) -> None:
    words = pq.read_table(project / "data/utterances/demo/utterances.parquet").to_pylist()[0]
    said = must(
        project,
        *("serflow", "predict", words["audio_path"], "--text", words["transcript"]),
        *("--model", f"models/{EXPERIMENT}", "--json"),
    )
    found = json.loads(said)
    assert found["networks"] == 5
    assert abs(sum(found["probabilities"].values()) - 1) < 1e-6


def test_another_system_compares_with_the_same_keys(project: Path) -> None:
    commit(project, "base")
    where = f"experiments.{EXPERIMENT}"
    words = (f"{where}.network=LSTM_Attn_s", f"~{where}.acoustic", f"~{where}.alignment")
    changes = [part for word in words for part in ("-S", word)]
    must(project, "dvc", "exp", "run", *changes, f"evaluate@{EXPERIMENT}")
    difference = json.loads(must(project, "dvc", "metrics", "diff", "--json"))
    changed = difference[f"models/{EXPERIMENT}/metrics.json"]
    assert {"wa", "ua", "test_selected.ua", "ua_ci95.low"} <= set(changed)
    assert all("old" in value and "new" in value for value in changed.values())


def test_a_mistake_stops_before_any_work(project: Path) -> None:
    document = yaml.safe_load((project / "params.yaml").read_text())
    document["experiments"][EXPERIMENT]["network"] = "FG_CMEE"
    (project / "wrong.yaml").write_text(yaml.safe_dump(document))
    finished = run(
        project, "python", "-m", "stages.check", "data/checked", "--params", "wrong.yaml"
    )
    assert finished.returncode == 2
    assert "unknown network 'FG_CMEE', expected one of" in finished.stderr
