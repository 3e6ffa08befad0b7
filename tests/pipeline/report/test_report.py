import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline import report
from pipeline.lookup import ConfigurationError
from pipeline.report import accounts, audit, results, terminal
from pipeline.report.experiments import experiments

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Collects texts, ids and links, and fails on a tag that is not closed where it should be."""

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
    assert all(link.startswith(("data:", "#")) for link in page.links), "nothing comes from the network"
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
    assert "within 50ms" in text
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
    assert [[item.name for item in group] for group in found.values()] == [["fg_cme-demo", "voice-demo"], ["<mine>"]]
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


def test_terminal_shows_the_table(workplace, tmp_path, capsys, monkeypatch):
    models, data = workplace
    monkeypatch.setenv("COLUMNS", "110")
    terminal.show(models, data)
    shown = capsys.readouterr().out
    assert "fg_cme-demo" in shown
    assert "synthetic" in shown
    with pytest.raises(ConfigurationError, match="expected `dvc repro`"):
        terminal.show(tmp_path / "nothing", data)
