import csv
import io
import json
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipeline import lookup
from pipeline.evaluation.metrics import evaluate_experiment
from pipeline.evaluation.probabilities import only, read_folds
from pipeline.lookup import ConfigurationError
from pipeline.report import stated, table_formats, tables
from pipeline.report.experiments import experiments
from pipeline.schema import Rejection
from pipeline.tables import write_rejections


def made(
    models: Path,
    name: str,
    network: str,
    corpus: str = "ravdess",
    split: str = "random",
    wa: float = 0.6,
    selected_by: str = "validation ua",
    size: int = 8,
) -> None:
    """A folder as train and evaluate leave it, as far as tables read it."""
    scores = {
        "wa": wa,
        "ua": wa - 0.01,
        "macro_precision": 0.5,
        "recall": {"angry": 0.51},
        "f1": {"neutral": 0.41},
        "wa_ci95": {"low": wa - 0.05, "high": wa + 0.05},
    }
    best = scores | {"wa": wa + 0.1, "wa_ci95": {"low": wa, "high": wa + 0.2}}
    folder = models / name
    (folder / "folds").mkdir(parents=True)
    settings = {"corpus": corpus, "network": network, "split": split}
    (folder / "folds" / "experiment.json").write_text(
        json.dumps({"name": name, "experiment": settings})
    )
    written = scores | {"selected_by": selected_by, "test_selected": best}
    written |= {"last_epoch": scores | {"wa": 0.5}}
    (folder / "metrics.json").write_text(json.dumps(written))
    (folder / "details.json").write_text("{}")
    tested = [f"u{number}" for number in range(size)]
    pq.write_table(
        pa.table({"utterance_id": tested, "label": ["angry"] * size}),
        folder / "predictions.parquet",
    )


@pytest.mark.parametrize("paper", stated.PAPERS)
def test_every_system_of_a_paper_has_figures_and_every_figure_its_system(paper):
    systems = set(lookup.component("networks", paper).__all__)
    given = stated.published(paper)
    assert {item.system for item in given} == systems
    for system in systems:
        mine = [item for item in given if item.system == system]
        assert any(item.value is not None for item in mine) or all(
            "without numbers" in item.source for item in mine
        )
    assert all(item.source for item in given)
    assert len({(i.system, i.corpus, i.split, i.metric) for i in given}) == len(given)


def test_published_figures_are_percent():
    given = [item for paper in stated.PAPERS for item in stated.published(paper)]
    assert all(item.value is None or 7 <= item.value <= 100 for item in given)


def test_published_unweighted_accuracy_is_the_mean_of_the_published_recalls():
    # CBLA prints both: the figures were copied right, and its UA is ours.
    found = defaultdict(dict)
    for item in stated.published("cbla"):
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
    assert figure.honest is not None and figure.test_selected is not None
    values = (figure.honest.value, figure.honest.low, figure.honest.high)
    assert values == pytest.approx((60.0, 55.0, 65.0))
    assert figure.test_selected.value == pytest.approx(70.0)
    text = table_formats.markdown(table)
    assert "| FG_CME | random | 72 | 60.0 [55.0, 65.0] | 70.0 [60.0, 80.0] |" in text
    assert "| wo_excite_a | random | 70.3 | – | – |" in text
    assert "not given" in text, "the reason why the paper has no figure"
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1, "every line has the same number of cells"


LAST = "last epoch, no validation"


def test_both_practices_stand_side_by_side(tmp_path):
    made(tmp_path, "one-FG_CME", "FG_CME", split="random-four", wa=0.6)
    made(
        tmp_path, "one-FG_CME-published", "FG_CME", split="random-four-published", wa=0.7,
        selected_by=LAST,
    )  # fmt: skip
    made(tmp_path, "one-MHA_m", "MHA_m", split="random-four", wa=0.55)
    table = tables.table("fg_cme", "ravdess", tmp_path)
    (line,) = (line for line in table.lines if line.system == "FG_CME")
    assert line.split == "random-four"
    text = table_formats.markdown(table, "both")
    cells = "| 72 | 60.0 [55.0, 65.0] | 50.0 [65.0, 75.0] | 80.0 [70.0, 90.0] |"
    assert f"| FG_CME | random-four {cells}" in text
    assert "| MHA_m | random-four | 61.5 | 55.0 [50.0, 60.0] | – | – |" in text
    console = Console(width=80, record=True, file=io.StringIO())
    for part in table_formats.for_terminal(table, "both"):
        console.print(part, markup=False)
    printed = console.export_text()
    assert "fg_cme on ravdess: wa" in printed and "fg_cme on ravdess: ua" in printed
    assert "AttnFusion_m" in printed and "…" not in printed
    published = table_formats.markdown(table, "published")
    assert "| FG_CME | random-four | 72 | 50.0 [65.0, 75.0] | 80.0 [70.0, 90.0] |" in published
    assert "without validation" in published and "inner validation" not in published


def test_a_protocol_with_its_own_validation_serves_both_practices(tmp_path):
    made(tmp_path, "pba", "PBA_a", corpus="demo_zh", split="ratio", wa=0.6)
    table = tables.table("pba", "demo_zh", tmp_path)
    (line,) = (line for line in table.lines if line.system == "PBA_a")
    figure = line.figures["wa"]
    assert figure.honest is not None and figure.best is not None and figure.last is not None
    assert (figure.best.value, figure.last.value) == pytest.approx((70.0, 50.0))


def test_systems_of_a_table_are_scored_on_the_same_utterances(workplace):
    models, data = workplace
    short, other = (item for item in experiments(models) if item.corpus == "demo")
    names = sorted(set(short.predictions["utterance_id"].to_pylist()))
    dropped = names[:7]
    for place in short.trained:
        table = pq.read_table(place / "probabilities.parquet")
        kept = pc.invert(pc.is_in(table["utterance_id"], pa.array(dropped)))
        pq.write_table(table.filter(kept), place / "probabilities.parquet")
    predictions = short.predictions
    kept = pc.invert(pc.is_in(predictions["utterance_id"], pa.array(dropped)))
    pq.write_table(predictions.filter(kept), short.folder / "predictions.parquet")
    rejected = [Rejection(name, "train", "input missing", "words") for name in dropped]
    write_rejections(short.folder / "folds" / "rejects.parquet", rejected)
    table = tables.table("fg_cme", "demo", models, data)
    assert table.scored == {short.split: len(names) - 7}
    assert table.left_out == {"words": 7}
    assert "Left out: 7 without words." in table_formats.markdown(table)
    (line,) = (line for line in table.lines if line.experiment == other.name)
    folds, classes = read_folds(other.folder / "folds")
    rows = other.predictions.to_pylist()
    truth = {row["utterance_id"]: row["label"] for row in rows}
    common = set(names) - set(dropped)
    expected = evaluate_experiment(only(folds, common), truth, classes).metrics["wa"]
    assert line.figures["wa"].honest.value == pytest.approx(100 * expected)
    assert line.figures["wa"].honest.value != pytest.approx(100 * other.metrics["wa"])


def test_two_experiments_of_one_system_are_told_apart(tmp_path):
    made(tmp_path, "paper", "FG_CME")
    made(tmp_path, "residual", "FG_CME")
    text = table_formats.markdown(tables.table("fg_cme", "ravdess", tmp_path))
    assert "FG_CME (paper)" in text
    assert "FG_CME (residual)" in text


def test_names_of_a_folder_from_elsewhere_are_text_in_every_form(tmp_path):
    made(tmp_path, "paper", "FG_CME")
    made(tmp_path, "a|b <i> ${x}", "FG_CME")
    table = tables.table("fg_cme", "ravdess", tmp_path)
    assert r"FG_CME (a\|b \<i\> ${x})" in table_formats.markdown(table)
    assert r"FG\_CME (a|b <i> \$\{x\})" in table_formats.latex(table)


def test_a_corpus_the_paper_does_not_know_is_marked(tmp_path):
    made(tmp_path, "one", "FG_CME", corpus="demo", split="session")
    table = tables.table("fg_cme", "demo", tmp_path)
    assert table.published_corpus == "iemocap"
    text = table_formats.markdown(table)
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
    table = tables.table("pba", "demo_zh", tmp_path / "models")
    paths = table_formats.write(table, tmp_path / "out")
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
        stated.published("bert")
