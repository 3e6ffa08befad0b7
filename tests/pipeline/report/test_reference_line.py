import dataclasses

import pytest

from pipeline.report import accounts, page, results, terminal
from pipeline.report.experiments import experiments


def scored(item, ua, network="FG_CME"):
    metrics = {**item.metrics, "ua": ua}
    return dataclasses.replace(
        item, settings={**item.settings, "network": network}, metrics=metrics
    )


def test_the_majority_class_is_that_of_the_training_part(workplace):
    models, data = workplace
    item = experiments(models)[0]
    wa, ua = accounts.majority(item, data)
    assert ua == 0.25 and wa == pytest.approx(0.25, abs=0.02)
    assert accounts.majority(item, models) is None


def test_a_system_is_above_the_line_only_with_a_higher_ua(workplace):
    models, data = workplace
    item = experiments(models)[0]
    line = results.reference_line([item], data)
    assert line.best is None and line.lacks == ("Reference_a", "Reference_s", "Reference_m")
    assert f"not run: {', '.join(line.lacks)} (an experiment" in line.text
    assert f"the corpus {item.corpus} and the split {item.split}" in line.text
    assert line.beats(scored(item, 0.26)) and not line.beats(scored(item, 0.25))
    linear = [scored(item, ua, "Reference_s") for ua in (0.5, 0.6)]
    line = results.reference_line([item, *linear], data)
    best = f"UA 60.0, WA {100 * item.metrics['wa']:.1f}; not run: Reference_a, Reference_m (an"
    assert line.best is linear[1] and best in line.text
    whole = [item, *(scored(item, 0.5, name) for name in ("Reference_a", *line.lacks))]
    whole.append(scored(item, 0.5, "Reference_s"))
    assert "not run" not in results.reference_line(whole, data).text
    assert line.beats(scored(item, 0.61)) and not line.beats(scored(item, 0.6))


def test_every_table_shows_the_line_and_who_is_not_above_it(workplace, monkeypatch, capsys):
    models, data = workplace
    found = experiments(models)
    low = scored(found[1], 0.2) if found[1].name == "fg_cme-demo" else scored(found[0], 0.2)
    others = [item for item in found if item.name != low.name]
    reference = scored(others[0], 0.7, "Reference_a")
    shown = [low, reference, *others[1:]]
    text = results.markdown(shown, data)
    assert "Reference_a" in text and f"| {low.name} (not above the reference)" in text
    assert "majority class UA 25.0" in text
    html = page.html(shown, data, models, {})
    assert "not above the reference line" in html and "Reference line: majority class" in html
    monkeypatch.setattr(terminal, "experiments", lambda _: shown)
    monkeypatch.setenv("COLUMNS", "150")
    terminal.show(models, data)
    printed = capsys.readouterr().out
    assert "(not above the" in printed and "Reference line: majority class" in printed
