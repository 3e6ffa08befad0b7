import dataclasses

import pytest

from pipeline import folders, tables
from pipeline.report import charts, page
from pipeline.report.experiments import experiments
from pipeline.report.scrutiny import scrutiny


@pytest.fixture
def demo(workplace):
    models, data = workplace
    return {item.name: item for item in experiments(models)}, data, models


def test_groups_are_those_that_the_corpus_states(demo):
    found, data, _ = demo
    seen = scrutiny(found["fg_cme-demo"], data)
    assert set(seen.groups) == {"class", "speaker", "session"}
    assert sum(item["n"] for item in seen.groups["session"].values()) == 159
    assert seen.worst is not None and seen.groups[seen.worst[0]][seen.worst[1]]["n"] >= 10


def test_durations_words_aligners_and_heard_sentences(demo):
    found, data, _ = demo
    place = folders.utterances(data, "demo") / folders.UTTERANCES
    utterances = [
        dataclasses.replace(
            item,
            duration=1.0 + number % 30 / 10,
            words=tuple("abcdefg"[: 1 + number % 7]),
            style="scripted" if number % 2 else "improvised",
            sex="female" if number % 3 else "male",
            votes=(f"E1:{item.emotion}", "E2:sad"),
        )
        for number, item in enumerate(tables.read_utterances(place))
    ]
    tables.write_utterances(place, utterances)
    seen = scrutiny(found["fg_cme-demo"], data)
    assert set(seen.groups["duration"]) == {"① 1.0 to 1.8 s", "② 1.9 to 2.9 s", "③ 3.0 to 3.9 s"}
    assert (
        set(seen.groups["style"]) == {"improvised", "scripted"} and len(seen.groups["words"]) == 3
    )
    sexes = seen.groups["sex"]
    assert set(sexes) == {"female", "male"} and sum(item["n"] for item in sexes.values()) == 159
    assert all(item["low"] <= item["right"] <= item["high"] for item in sexes.values())
    (people,) = [item.text for item in seen.findings if item.text.startswith("People: ")]
    # Every first vote is the label, a second one for the sad alone.
    assert "(UA 62.5, 318 votes)" in people


def test_what_seeds_and_calibration_say(demo):
    found, data, models = demo
    one = [item.text for item in scrutiny(found["fg_cme-demo"], data).findings]
    assert any("expected calibration error" in text for text in one)
    assert any(text.startswith("One seed or one fold") for text in one)
    two = scrutiny(found["voice-demo"], data).findings
    assert any("seeds make its mean good to half a point, 2 were run" in item.text for item in two)
    assert any("Speakers differ by" in item.text for item in two)
    assert set(scrutiny(found["voice-demo"], data).tenths) == {"stated"}
    for path in models.glob("fg_cme-demo/folds/*/history.csv"):
        lines = path.read_text().splitlines()
        path.write_text(
            "\n".join([f"{lines[0]},valid_temperature", *(f"{x},1.5" for x in lines[1:])])
        )
    again = {item.name: item for item in experiments(models)}["fg_cme-demo"]
    seen = scrutiny(again, data)
    assert set(seen.tenths) == {"stated", "softened"}
    assert any("(1.50 on average)" in item.text for item in seen.findings)


def test_the_page_names_the_worst_group_and_the_chart_is_drawn(demo, tmp_path):
    found, data, models = demo
    html = page.html(list(found.values()), data, models, {})
    assert "Right least often: <b>" in html and "Right in which groups?" in html
    seen = scrutiny(found["fg_cme-demo"], data)
    charts.reliability(tmp_path / "calibration.png", seen.tenths)
    assert (tmp_path / "calibration.svg").stat().st_size > 5000


def test_without_predictions_there_is_nothing_to_say(demo):
    found, data, models = demo
    (models / "fg_cme-demo" / folders.PREDICTIONS).unlink()
    assert scrutiny(found["fg_cme-demo"], data) is None
