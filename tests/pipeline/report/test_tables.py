import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from pipeline import lookup
from pipeline.lookup import ConfigurationError
from pipeline.report import tables


def made(models: Path, name: str, network: str, corpus="ravdess", split="random", wa=0.6):
    """A folder as train and evaluate leave it, as far as tables read it."""
    scores = {
        "wa": wa,
        "ua": wa - 0.01,
        "macro_precision": 0.5,
        "recall": {"angry": 0.51},
        "f1": {"neutral": 0.41},
        "wa_ci95": {"low": wa - 0.05, "high": wa + 0.05},
    }
    folder = models / name
    (folder / "folds").mkdir(parents=True)
    settings = {"corpus": corpus, "network": network, "split": split}
    (folder / "folds" / "experiment.json").write_text(
        json.dumps({"name": name, "experiment": settings})
    )
    (folder / "metrics.json").write_text(
        json.dumps(scores | {"test_selected": scores | {"wa": wa + 0.1}})
    )


@pytest.mark.parametrize("paper", tables.PAPERS)
def test_every_system_of_a_paper_has_figures_and_every_figure_its_system(paper):
    systems = set(lookup.component("networks", paper).__all__)
    stated = tables.published(paper)
    assert {item.system for item in stated} == systems
    for system in systems:
        mine = [item for item in stated if item.system == system]
        assert any(item.value is not None for item in mine) or all(
            "without numbers" in item.source for item in mine
        )
    assert all(item.source for item in stated)
    assert len({(i.system, i.corpus, i.split, i.metric) for i in stated}) == len(stated)


def test_published_figures_are_percent():
    stated = [item for paper in tables.PAPERS for item in tables.published(paper)]
    assert all(item.value is None or 7 <= item.value <= 100 for item in stated)


def test_published_unweighted_accuracy_is_the_mean_of_the_published_recalls():
    # CBLA prints both: the figures were copied right, and its UA is ours.
    found = defaultdict(dict)
    for item in tables.published("cbla"):
        found[item.system][item.metric] = item.value
    for system, values in found.items():
        recalls = [value for name, value in values.items() if name.startswith("recall.")]
        assert len(recalls) == 4
        # Recalls are printed in whole percent.
        assert values["ua"] == pytest.approx(sum(recalls) / 4, abs=0.3), system


def test_published_figures_of_the_paper_stand_in_the_table(tmp_path):
    lines = {line.system: line for line in tables.table("fg_cme", "ravdess", tmp_path).lines}
    assert lines["FG_CME"].figures["wa"].published == 72.0
    assert lines["LSTM_Attn_s"].figures["ua"].published is None
    assert lines["FG_CME"].experiment is None


def test_ours_stands_beside_the_published_figure(tmp_path):
    made(tmp_path, "one", "FG_CME", wa=0.6)
    made(tmp_path, "other", "FG_CME", corpus="iemocap", wa=0.1)
    table = tables.table("fg_cme", "ravdess", tmp_path)
    line = next(line for line in table.lines if line.system == "FG_CME")
    assert line.experiment == "one"
    figure = line.figures["wa"]
    values = (figure.ours, figure.low, figure.high, figure.test_selected)
    assert values == pytest.approx((60.0, 55.0, 65.0, 70.0))
    text = tables.markdown(table)
    assert "| FG_CME | random | 72 | 60.0 [55.0, 65.0] | 70.0 |" in text
    assert "| wo_excite_a | random | 70.3 | – | – |" in text
    assert "not given" in text, "the reason why the paper has no figure"
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1, "every line has the same number of cells"


def test_two_experiments_of_one_system_are_told_apart(tmp_path):
    made(tmp_path, "paper", "FG_CME")
    made(tmp_path, "residual", "FG_CME")
    text = tables.markdown(tables.table("fg_cme", "ravdess", tmp_path))
    assert "FG_CME (paper)" in text
    assert "FG_CME (residual)" in text


def test_a_corpus_the_paper_does_not_know_is_marked(tmp_path):
    made(tmp_path, "one", "FG_CME", corpus="demo", split="session")
    table = tables.table("fg_cme", "demo", tmp_path)
    assert table.published_corpus == "iemocap"
    text = tables.markdown(table)
    assert "published (iemocap)" in text
    assert "Synthetic speech" in text


def test_protocols_of_tsin_have_lines_of_their_own(tmp_path):
    assert len(tables.table("tsin", "iemocap", tmp_path).lines) == 27
    made(tmp_path, "by-speaker", "TSIN", corpus="iemocap", split="speaker-ten")
    table = tables.table("tsin", "iemocap", tmp_path)
    assert len(table.lines) == 9
    line = next(line for line in table.lines if line.system == "TSIN")
    assert (line.split, line.figures["ua"].published) == ("speaker-ten", 78.11)


def test_files(tmp_path):
    made(tmp_path / "models", "one", "PBA_a", corpus="demo_zh", split="ratio")
    paths = tables.write(tables.table("pba", "demo_zh", tmp_path / "models"), tmp_path / "out")
    assert [path.name for path in paths] == ["pba-demo_zh.md", "pba-demo_zh.csv", "pba-demo_zh.tex"]
    with paths[1].open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["system"] == "PBA_a"]
    assert {row["metric"]: row["published"] for row in rows} == {
        "wa": "74.7",
        "macro_precision": "76",
        "f1.neutral": "75",
        "f1.positive": "54",
        "f1.negative": "78",
    }
    assert rows[0]["ours"] == "60"
    latex = paths[2].read_text(encoding="utf-8")
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in body[1:]} == {16}
    assert r"PBA\_a" in latex
    assert "–" not in latex.split("\n", 1)[1]


def test_unknown_paper():
    with pytest.raises(ConfigurationError, match="expected one of"):
        tables.published("bert")
