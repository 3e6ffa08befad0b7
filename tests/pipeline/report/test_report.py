import csv
import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import report, splits
from pipeline.evaluation import metrics
from pipeline.lookup import ConfigurationError
from pipeline.report import accounts, audit, results, terminal
from pipeline.report.experiments import experiments
from pipeline.schema import Rejection, Utterance
from pipeline.tables import write_rejections, write_utterances

VOID = {"meta", "link", "img", "br"}
CLASSES = ["angry", "happy", "neutral", "sad"]


ALIGNED = {
    "utterances": 160, "used": 159, "rejected": 1, "placed": 159, "coverage": 0.994,
    "aligners": {
        "pocketsphinx": {
            "tried": 160, "placed": 159, "failures": {"no path": 1},
            "check": {
                "checked": 159, "failed": 0, "share_failed": 0.0,
                "first_start_median_s": 0.012, "first_start_within_100ms": 0.98,
            },
        }
    },
    "against_given": {"median_ms": 9.6, "within_50ms": 0.96, "n": 900},
}  # fmt: skip


def add_corpus(
    data: Path, corpus: str, protocol: str, known_speakers: bool = True, size: int = 160
) -> splits.Split:
    """Utterances, a split and an alignment of `size` utterances by eight speakers in
    four sessions.
    """
    utterances = [
        Utterance(
            f"u{i:04d}",
            corpus,
            CLASSES[i % 4] if i != 3 else "confused",
            speaker=f"s{i // 4 % 8}" if known_speakers else None,
            session=str(i // 4 % 4),
            transcript=f"sentence {i % 50}",
            words=("sentence", str(i % 50)),
            audio_sha256=str(i),
        )
        for i in range(size)
    ]
    folder = data / "utterances" / corpus
    write_utterances(folder / "utterances.parquet", utterances)
    write_rejections(
        folder / "rejects.parquet", [Rejection("broken", "prepare", "audio <truncated>")]
    )
    (folder / "metrics.json").write_text(
        json.dumps({"utterances": size + 1, "used": size, "rejected": 1})
    )
    settings = splits.settings(protocol, {"labels": {name: name for name in CLASSES}})
    made = splits.split(protocol, utterances, settings)
    place = data / "splits" / corpus / protocol
    write_rejections(place / "rejects.parquet", made.rejections)
    (place / "metrics.json").write_text(json.dumps({**made.audit, "used": size - 1, "rejected": 1}))
    spans = data / "spans" / corpus / "pocketsphinx"
    spans.mkdir(parents=True, exist_ok=True)
    (spans / "metrics.json").write_text(json.dumps(ALIGNED))
    return made


def add_experiment(
    models: Path,
    name: str,
    corpus: str,
    protocol: str,
    made: splits.Split,
    network: str,
    skill: float,
    seeds: int = 1,
) -> None:
    """An evaluated experiment whose probabilities are right more often the greater the
    skill.
    """
    generator = np.random.default_rng(len(name))
    rows = made.folds.to_pylist()
    truth = {row["utterance_id"]: row["emotion"] for row in rows}
    folder, epochs, folds = models / name, 8, []
    for number in sorted({row["fold"] for row in rows}):
        names = sorted(
            row["utterance_id"] for row in rows if row["fold"] == number and row["subset"] == "test"
        )
        own = np.array([CLASSES.index(truth[item]) for item in names])
        for seed in range(seeds):
            raw = generator.normal(size=(epochs, len(names), 4))
            raw[:, np.arange(len(names)), own] += (
                skill * np.sqrt(np.arange(1, epochs + 1) / epochs)[:, None]
            )
            shares = np.exp(raw) / np.exp(raw).sum(axis=2, keepdims=True)
            folds.append(
                metrics.Fold(seed, number, 4 + number % 4, range(1, epochs + 1), names, shares)
            )
    for fold in folds:
        place = folder / "folds" / f"seed-{fold.seed}-fold-{fold.fold}"
        place.mkdir(parents=True)
        columns = {
            "epoch": np.repeat(fold.epochs, len(fold.utterance_ids)),
            "utterance_id": list(fold.utterance_ids) * epochs,
        }
        columns |= {
            f"p_{label}": fold.probabilities[..., i].ravel() for i, label in enumerate(CLASSES)
        }
        pq.write_table(pa.table(columns), place / "probabilities.parquet")
        recipe = {
            "optimizer": "adam",
            "learning_rate": 5e-4,
            "batch_size": 32,
            "epochs": epochs,
            "l2": 0.0,
        }
        described = {"epoch": fold.epoch, "recipe": recipe, "versions": {"serflow": "0.1.0"}}
        (place / "checkpoint.json").write_text(json.dumps(described))
        lines = ["epoch,train_loss,valid_loss,valid_wa,valid_ua"]
        for epoch in fold.epochs:
            level = 1 - 0.8**epoch
            lines.append(
                f"{epoch},{1.4 - level},{1.35 - 0.6 * level + 0.02 * fold.fold},{0.6 * level},{0.62 * level}"
            )
        (place / "history.csv").write_text("\n".join(lines) + "\n")
    settings = {
        "corpus": corpus, "network": network, "acoustic": "fbank", "alignment": "pocketsphinx", "text": "word2vec",
        "split": protocol, "seeds": list(range(seeds)), "select": "ua", "hyperparameters": {},
        "training": {"epochs": epochs},
    }  # fmt: skip
    (folder / "folds" / "experiment.json").write_text(
        json.dumps({"name": name, "experiment": settings})
    )
    write_rejections(
        folder / "folds" / "rejects.parquet", [Rejection("u0007", "dataset", "no word spans")]
    )
    read, classes = metrics.read_folds(folder / "folds")
    speakers = {f"u{i:04d}": f"s{i // 4 % 8}" for i in range(200)}
    metrics.write(
        metrics.evaluate_experiment(read, truth, classes, speakers, resamples=200), folder
    )


@pytest.fixture
def workplace(tmp_path):
    """models/ and data/ with two experiments on the demo corpus, and one with shared
    speakers on another.
    """
    models, data = tmp_path / "models", tmp_path / "data"
    demo = add_corpus(data, "demo", "session")
    add_experiment(models, "fg_cme-demo", "demo", "session", demo, "FG_CME", 2.2)
    add_experiment(models, "voice-demo", "demo", "session", demo, "LSTM_Attn_a", 0.5, seeds=2)
    mine = add_corpus(data, "mine", "random")
    add_experiment(models, "<mine>", "mine", "random", mine, "UttConcat_m", 1.0)
    return models, data


class Page(HTMLParser):
    """Collects texts, ids and links, and fails on a tag that is not closed where it
    should be.
    """

    def __init__(self):
        super().__init__()
        self.open, self.text, self.ids, self.links = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_the_page_stands_alone_and_says_what_counts(workplace, tmp_path):
    models, data = workplace
    paths = report.write(models, data, tmp_path / "report")
    assert [path.name for path in paths] == ["index.html", "results.md", "results.csv"]
    page = parsed(paths[0])
    text = " ".join(page.text)
    assert all(link.startswith(("data:", "#")) for link in page.links), (
        "nothing comes from the network"
    )
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, f"{link} leads nowhere"
    assert "No human being speaks in the demo corpora" in text
    for name in ("fg_cme-demo", "voice-demo", "<mine>"):
        assert name in page.ids
    assert "No speaker of a test fold is heard in its training." in text
    assert "Training has heard the test speakers" in text
    assert "audio <truncated>" in text
    assert "no word spans" in text
    assert "differ" in text
    assert "starts are 10 ms off (median), 96 % within 50 ms" in text
    assert "$" not in text, "a placeholder was left"


def test_every_headline_on_the_page_is_the_metric(workplace, tmp_path):
    models, data = workplace
    page = parsed(report.write(models, data, tmp_path / "report")[0])
    text = " ".join(page.text)
    for item in experiments(models):
        for value in (item.metrics["ua"], item.metrics["wa"], item.metrics["test_selected"]["ua"]):
            assert f"{100 * value:.1f}" in text


def test_real_corpora_bear_no_banner(workplace, tmp_path):
    models, data = workplace
    for name in ("fg_cme-demo", "voice-demo"):
        (models / name / "metrics.json").unlink()
    path = report.write(models, data, tmp_path / "report")[0]
    assert "Synthetic" not in " ".join(parsed(path).text)


def test_without_data_or_predictions_the_page_says_what_is_missing(workplace, tmp_path):
    models, _ = workplace
    for path in models.glob("*/predictions.parquet"):
        path.unlink()
    page = parsed(report.write(models, tmp_path / "nowhere", tmp_path / "report")[0])
    text = " ".join(page.text)
    assert "dvc pull" in text
    assert "no audit here" in text
    empty = parsed(report.write(tmp_path / "nothing", tmp_path / "nowhere", tmp_path / "empty")[0])
    assert "No experiment has been evaluated yet" in " ".join(empty.text)


def test_the_same_results_give_the_same_bytes(workplace, tmp_path):
    models, data = workplace
    first, second = (report.write(models, data, tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_markdown_and_csv_hold_the_figures(workplace, tmp_path):
    models, data = workplace
    _, markdown, table = report.write(models, data, tmp_path / "report")
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    for item in experiments(models):
        assert float(rows[item.name]["ua"]) == item.metrics["ua"]
        assert float(rows[item.name]["test_selected.wa"]) == item.metrics["test_selected"]["wa"]
    text = markdown.read_text(encoding="utf-8")
    assert "synthetic" in text
    assert re.search(r"\| fg_cme-demo \| FG_CME \| \d+\.\d \[\d+\.\d, \d+\.\d\]", text)


def test_only_experiments_on_the_same_folds_are_compared(workplace):
    models, data = workplace
    found = results.groups(experiments(models))
    assert [[item.name for item in group] for group in found.values()] == [
        ["fg_cme-demo", "voice-demo"],
        ["<mine>"],
    ]
    pairs = results.comparisons(found["demo", "session"], data)
    assert len(pairs) == 1
    assert pairs[0]["second"] == "fg_cme-demo"
    assert pairs[0]["ua_difference"]["value"] > 0
    assert pairs[0]["resampled"] == "speakers"
    assert results.comparisons(found["mine", "random"], data) == []


def test_many_experiments_are_compared_with_the_best_alone(workplace, monkeypatch):
    models, data = workplace
    monkeypatch.setattr(results, "ALL_PAIRS", 1)
    group = results.groups(experiments(models))["demo", "session"]
    assert [(pair["first"], pair["second"]) for pair in results.comparisons(group, data)] == [
        ("voice-demo", "fg_cme-demo")
    ]


def test_a_clear_difference_stays_clear_among_many_experiments(workplace):
    models, data = workplace
    best, other = results.groups(experiments(models))["demo", "session"]
    pairs = results.comparisons(
        [best, *(dataclasses.replace(other, name=f"copy-{i}") for i in range(54))], data
    )
    assert len(pairs) == 54
    assert max(pair["ua_difference"]["p_holm"] for pair in pairs) < 0.02


def test_accounts_name_every_stage_and_reason(workplace):
    models, data = workplace
    item = next(item for item in experiments(models) if item.name == "fg_cme-demo")
    found = {account.stage: account for account in accounts.accounts(item, data)}
    assert found["prepare"].reasons == {"audio <truncated>": 1}
    assert found["split session"].reasons == {"label outside the scheme": 1}
    assert found["tested"].reasons == {"no word spans": 1}
    assert (found["tested"].used, found["prepare"].used, found["prepare"].rejected) == (159, 160, 1)


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"speakers_known": False}, "unknown", "not known"),
        ({"duplicate_audio_train_test": 2}, "bad", "2 test recordings"),
    ],
)
def test_audit_sentences(workplace, change, state, words):
    models, data = workplace
    item = experiments(models)[0]
    stated = accounts.read_json(accounts.split_folder(item, data) / "metrics.json")
    stated["verdict"] |= change
    assert any(found.state == state and words in found.text for found in audit.findings(stated))


def test_an_alignment_that_cannot_be_right_is_bad_news():
    found = audit.alignment(ALIGNED)
    assert [item.state for item in found] == ["good", "warn", "good", "good"]
    checked = ALIGNED["aligners"]["pocketsphinx"] | {
        "check": {
            "failed": 90,
            "share_failed": 0.6,
            "first_start_median_s": 1.0,
            "first_start_within_100ms": 0.01,
        }
    }
    found = audit.alignment(ALIGNED | {"aligners": {"mfa": checked}})
    assert [item.text for item in found if item.state == "bad"] == [
        "Against the sound: first words start 1000 ms (median) from the voice's onset, 1 % within 100 ms; "
        "90 clips cannot be right."
    ]
    assert audit.alignment({}) == []


def test_terminal_shows_the_table(workplace, tmp_path, capsys, monkeypatch):
    models, data = workplace
    monkeypatch.setenv("COLUMNS", "110")
    terminal.show(models, data)
    shown = capsys.readouterr().out
    assert "fg_cme-demo" in shown
    assert "synthetic" in shown
    with pytest.raises(ConfigurationError, match="expected `dvc repro`"):
        terminal.show(tmp_path / "nothing", data)


def test_experiments_on_different_states_of_a_corpus_are_not_compared(workplace, tmp_path):
    models, data = workplace
    path = models / "voice-demo" / "predictions.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("label")
    pq.write_table(table.set_column(place, "label", pa.array(["sad"] * len(table))), path)
    text = " ".join(parsed(report.write(models, data, tmp_path / "report")[0]).text)
    assert "Not compared" in text
    assert "with another label" in text


def test_pictures_are_on_the_page_once(workplace, tmp_path):
    models, data = workplace
    for name, vectors in (("fg_cme-demo", b"one"), ("voice-demo", b"two")):
        folder = tmp_path / "report" / "plots" / name
        folder.mkdir(parents=True)
        (folder / "tsne.png").write_bytes(vectors)
        (folder / "alignment.png").write_bytes(b"the same")
        (folder / "confusion.png").write_bytes(b"drawn on the page itself")
    page = parsed(report.write(models, data, tmp_path / "report")[0])
    pictures = [link for link in page.links if link.startswith("data:image/png")]
    assert len(pictures) == len(set(pictures)) == 3
