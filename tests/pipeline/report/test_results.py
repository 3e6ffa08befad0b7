import csv
import dataclasses
import re

from pipeline.report import results
from pipeline.report.experiments import experiments


def test_markdown_and_csv_hold_the_figures(workplace):
    models, data = workplace
    found = experiments(models)
    table = csv.DictReader(results.comma_separated(found, data).splitlines())
    rows = {row["experiment"]: row for row in table}
    for item in found:
        assert float(rows[item.name]["ua"]) == item.metrics["ua"]
        assert float(rows[item.name]["test_selected.wa"]) == item.metrics["test_selected"]["wa"]
    text = results.markdown(found, data)
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
