import json

import pytest

from pipeline import lookup
from pipeline.commands import recipes, systems
from pipeline.lookup import ConfigurationError


def test_every_system_is_there_with_what_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    systems.show(list(systems.describe()), as_json=True)
    found = {item["system"]: item for item in json.loads(capsys.readouterr().out)}
    papers = lookup.names("networks")
    assert list(found) == [name for paper in papers for name in recipes.systems_of_paper(paper)]
    # The reference line is of no paper, and has no recipe.
    published = {name: item for name, item in found.items() if item["paper"] != "reference"}
    assert len(published) == 55
    for name, item in published.items():
        needs = lookup.system(name).needs
        assert set(item["reads"]) == needs and item["weights"] > 1000
        assert (item["acoustic"] is None) == ("audio" not in needs)
        assert (item["text"] is None) == ("text" not in needs)
    assert found["SelfAttn_a"]["acoustic"] == "waveform"
    assert found["FG_CME"]["weights"] > found["CNN_LSTM_a"]["weights"]


def test_seconds_are_measured_where_they_are_asked_for() -> None:
    measured, listed = (next(systems.describe(["fg_cme"], timed)) for timed in (True, False))
    assert measured.system == listed.system == "FG_CME"
    assert measured.seconds and measured.seconds > 0 and listed.seconds is None


def test_an_unknown_paper_is_named() -> None:
    with pytest.raises(ConfigurationError, match="unknown paper 'cmb', expected one of"):
        list(systems.describe(["cmb"]))
