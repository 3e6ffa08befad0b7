import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile

from pipeline import folders, tables
from pipeline.report import explanation, heard, inspector
from pipeline.report.experiments import experiments
from pipeline.schema import Utterance, WordSpan
from tests.resources import fabricated, inspected, recordings


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspected")
    inspected.build(folder)
    return folder


@pytest.fixture
def copied(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fabricated.run_serially(monkeypatch)
    return Path(shutil.copytree(built, tmp_path / "copied"))


def data(path: Path) -> dict[str, Any]:
    """What a file hands to the page."""
    text = path.read_text(encoding="utf-8")
    (said,) = re.findall(r'\Aserflow\("[\w/.-]+",(.*)\);\n\Z', text, flags=re.DOTALL)
    return dict(json.loads(said))


def table(report: Path) -> dict[str, Any]:
    return data(report / "utterances" / "small" / "table.js")


def test_every_prediction_is_a_line_and_the_surest_mistakes_come_first(built: Path) -> None:
    (item,) = experiments(built / "models")
    values = table(built / "report")
    rows = {row["utterance_id"]: row for row in item.predictions.to_pylist()}
    assert {line[1] for line in values["rows"]} == set(rows)
    order = []
    for key, name, truth, predicted, share, speaker, seconds, fold, seed, _, words in values[
        "rows"
    ]:
        row = rows[name]
        assert (values["classes"][truth], values["classes"][predicted]) == (
            row["label"],
            row["predicted"],
        )
        assert share == pytest.approx(row[f"p_{row['predicted']}"], abs=1e-6)
        assert (fold, seed, key) == (row["fold"], row["seed"], heard.key(name))
        assert speaker == f"s{int(name[1:]) % 4}" and seconds >= 0.5 and words
        order.append((truth == predicted, -share if truth != predicted else share))
    assert order == sorted(order)


def test_an_utterance_has_its_sound_its_words_and_all_probabilities(built: Path) -> None:
    folder = built / "report" / "recordings" / "manifest"
    spans = tables.read_spans(built / "data" / "spans" / "manifest" / "uniform" / "spans.parquet")
    for line in table(built / "report")["rows"]:
        values = data(folder / f"{line[0]}.js")
        assert soundfile.info(folder / values["audio"]).duration == pytest.approx(line[6])
        assert abs(values["duration"] - line[6]) < 0.001
        given = values["alignments"]["uniform"]["words"]
        assert [word for word, *_ in given] == values["words"]
        assert [start for _, start, *_ in given] == pytest.approx(
            [span.start for span in spans[line[1]]], abs=1e-4
        )
        told = values["experiments"]["small"]
        assert sum(told["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert max(told["probabilities"].values()) == pytest.approx(line[4], abs=1e-6)


def test_weights_are_those_that_explain_tells(built: Path) -> None:
    """The page reads many utterances at once, `serflow explain` one."""
    for line in table(built / "report")["rows"][:6]:
        chunk = data(built / "report" / "utterances" / "small" / "seen" / f"{line[9]}.js")[line[0]]
        told = explanation.explain(line[1], built / "models" / "small", built / "data")
        assert chunk["weights"] == told["weights"] and chunk["meaning"] == told["meaning"]
        for one, other in zip(chunk["words"], told["words"], strict=True):
            assert one["weights"] == pytest.approx(other["weights"], abs=2e-6)
            assert (one["word"], one["start"]) == (other["word"], other["start"])
        near = chunk["neighbours"]
        assert [cosine for _, cosine in near] == sorted((c for _, c in near), reverse=True)
        known = {f"{row[0]}.{row[8]}.{row[7]}": row for row in table(built / "report")["rows"]}
        assert {known[name][7] for name, _ in near} == {line[7]} and len(
            near
        ) <= inspector.weighed.NEAREST
        assert f"{line[0]}.0.{line[7]}" not in [name for name, _ in near]


def test_of_very_many_the_first_can_be_heard(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector, "MOST", 5)
    report = inspected.again(copied, "few", ["manifest"])
    values = table(report)
    assert [bool(line[0]) for line in values["rows"]] == [True] * 5 + [False] * (
        len(values["rows"]) - 5
    )
    assert [line[1:9] for line in values["rows"]] == [
        line[1:9] for line in table(copied / "report")["rows"]
    ]
    assert len(list((report / "recordings").rglob("*.js"))) == 5
    for line in values["rows"][:5]:
        assert line[0] in data(report / "utterances" / "small" / "seen" / f"{line[9]}.js")
    page = (report / "utterances" / "small" / "index.html").read_text(encoding="utf-8")
    assert "the first 5, the most confident mistakes" in page


def test_a_restricted_corpus_keeps_its_sound(copied: Path) -> None:
    report = inspected.again(copied, "quiet", [])
    assert not list(report.rglob("*.ogg"))
    line = table(report)["rows"][0]
    values = data(report / "recordings" / "manifest" / f"{line[0]}.js")
    assert values["audio"] is None and values["mel"] is not None
    assert "its licence (yours) does not let it be passed on" in values["silent"]
    assert "`report: {audio: true}`" in values["silent"]


def test_the_same_data_give_the_same_files(built: Path, copied: Path) -> None:
    again = inspected.again(copied, "again", ["manifest"])
    for part in ("utterances", "recordings"):
        assert fabricated.files(again / part) == fabricated.files(built / "report" / part)


def test_the_page_stands_without_weights_and_says_why(copied: Path) -> None:
    (copied / "models" / "small" / "folds" / "seed-0-fold-0" / "checkpoint.safetensors").unlink()
    (item,) = experiments(copied / "models")
    missing = inspector.write([item], copied / "data", copied / "out", [])
    (line,) = missing["small"]
    assert line.startswith("no weights of words and frames: ") and "seed-0-fold-0" in line
    values = table(copied / "out")
    assert values["unseen"].startswith("It cannot be told: ")
    assert {row[9] for row in values["rows"]} == {None}


def test_without_predictions_or_utterances_there_is_no_page(copied: Path) -> None:
    (item,) = experiments(copied / "models")
    assert inspector.write([item], copied / "nowhere", copied / "out", [])["small"][0].startswith(
        "no page of utterances: "
    )
    path = folders.utterances(copied / "data", "manifest") / folders.UTTERANCES
    kept = tables.read_utterances(path)
    tables.write_utterances(path, kept[:3])
    (line,) = inspector.write([item], copied / "data", copied / "out", [])["small"]
    assert "is no utterance of manifest any more" in line
    tables.write_utterances(path, kept)
    (copied / "models" / "small" / "predictions.parquet").unlink()
    (item,) = experiments(copied / "models")
    assert (
        "predictions.parquet is missing"
        in inspector.write([item], copied / "data", copied / "out", [])["small"][0]
    )


def test_every_seed_has_its_line_and_a_corpus_without_sound_its_words(
    workplace: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.run_serially(monkeypatch)
    models, corpora = workplace
    missing = inspector.write(experiments(models), corpora, tmp_path, ["demo"])
    assert all(line.startswith("no weights") for lines in missing.values() for line in lines)
    for item in experiments(models):
        values = data(tmp_path / "utterances" / item.name / "table.js")
        rows = {(line[1], line[7], line[8]) for line in values["rows"]}
        expected = item.predictions.select(["utterance_id", "fold", "seed"]).to_pylist()
        assert rows == {tuple(row.values()) for row in expected}
        assert len(values["rows"]) == len(expected)
    voice = data(tmp_path / "utterances" / "voice-demo" / "table.js")["rows"]
    assert {line[8] for line in voice} == {0, 1}
    name = voice[0][0]
    told = data(tmp_path / "recordings" / "demo" / f"{name}.js")
    assert told["audio"] is None and "waveform" not in told and told["words"][0] == "sentence"
    assert told["silent"] == "The corpus has no recording of it."
    # Two seeds: the mean of both stands beside the other experiments.
    shares = [line[4] for line in voice if line[0] == name]
    assert len(shares) == 2 and set(told["experiments"]) == {"fg_cme-demo", "voice-demo"}


def recorded(folder: Path, alignment: heard.Alignment, **changes: Any) -> dict[str, Any]:
    path = recordings.write(folder / "a.wav", seconds=1.0)
    utterance = Utterance("u/1", "made", "", words=("tea", "now"), audio_path=str(path), **changes)
    told = {"voice": {"truth": None, "predicted": "sad", "probabilities": {"sad": 1.0}}}
    heard.write(heard.Recording(utterance, [alignment], told, ""), folder)
    return data(folder / f"{heard.key('u/1')}.js")


def spans(*times: tuple[float, float]) -> list[WordSpan]:
    return [
        WordSpan("u/1", index, word, *time, 0.5 + index / 4, "hand")
        for index, (word, time) in enumerate(zip(("tea", "now"), times, strict=True))
    ]


def test_the_check_speaks_of_words_that_cannot_be_true(tmp_path: Path) -> None:
    values = recorded(tmp_path, heard.Alignment("mine", spans((0.0, 0.4), (0.4, 1.0)), {}))
    assert values["alignments"]["mine"]["said"] == (
        "placed by hand; the first word starts 0 ms after the voice begins, the last one ends 0 ms "
        "after it ends; the check finds nothing wrong; least sure of “tea”, 0.50."
    )
    long = heard.Alignment("mine", spans((0.0, 0.4), (0.4, 1.0)), {"max_word": 0.5})
    assert (
        "the check finds word 1 'now' lasts 0.600 s"
        in (recorded(tmp_path, long)["alignments"]["mine"]["said"])
    )


def test_an_alignment_that_was_refused_says_why(tmp_path: Path) -> None:
    refused = heard.Alignment("mine", [], {}, "check failed: 2 of 2 words over silence")
    assert recorded(tmp_path, refused)["alignments"] == {
        "mine": {"words": None, "said": "check failed: 2 of 2 words over silence"}
    }


def test_a_recording_that_is_gone_is_told(tmp_path: Path) -> None:
    alignment = heard.Alignment("mine", spans((0.0, 0.4), (0.4, 1.0)), {})
    values = recorded(tmp_path, alignment, start=3.0, end=4.0)
    assert values["silent"].startswith("The recording cannot be used: segment outside")
    assert values["audio"] is None and "waveform" not in values
