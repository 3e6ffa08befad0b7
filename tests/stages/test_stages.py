import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import __version__, folders, lookup, tables
from pipeline.lookup import ConfigurationError, WorkerKilledError
from pipeline.schema import Rejection, Utterance
from pipeline.shards import Shards
from stages import acoustic, align, entry, prepare, split, text, train
from tests.resources import fabricated, fold_rows, small_corpus

ROOT = Path(__file__).parents[2]
STAGES = {
    "prepare": "utterances/manifest",
    "acoustic": "acoustic/manifest/fbank",
    "align": "spans/manifest/uniform",
    "text": "text/manifest/word2vec",
    "split": "splits/manifest/random-three",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The small corpus, every stage run once; without warnings made errors, as a user
    runs it.
    """
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_corpus.run_stages(monkeypatch, folder)
    yield folder


def rejected(folder: Path, stage: str) -> list[Rejection]:
    return tables.read_rejections(folder / "data" / STAGES[stage] / "rejects.parquet")


def rejections(folder: Path, stage: str) -> dict[str, Rejection]:
    return {item.utterance_id: item for item in rejected(folder, stage)}


def utterances(folder: Path) -> list[Utterance]:
    return tables.read_utterances(folder / "data" / STAGES["prepare"] / "utterances.parquet")


@pytest.mark.parametrize("name", sorted(small_corpus.BAD))
def test_everything_bad_is_a_row_with_stage_and_reason(built: Path, name: str) -> None:
    _, stage, reason = small_corpus.BAD[name]
    found = rejections(built, stage)
    assert name in found, f"expected {name!r} among {sorted(found)}"
    assert (found[name].stage, found[name].reason) == (stage, reason)
    # What prepare rejects goes no further; what a later stage cannot use stays for the
    # others.
    assert (name in {item.utterance_id for item in utterances(built)}) == (stage != "prepare")


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_utterances_are_used_or_rejected(built: Path, stage: str) -> None:
    folder = built / "data" / STAGES[stage]
    counts = json.loads(folders.metrics(folder).read_text())
    assert counts["utterances"] == counts["used"] + counts["rejected"]
    assert counts["rejected"] == pq.read_table(folder / "rejects.parquet").num_rows
    listed = small_corpus.GOOD + len(small_corpus.BAD) + 2
    came = json.loads((built / "data/utterances/manifest/metrics.json").read_text())["used"]
    assert counts["utterances"] == (listed if stage == "prepare" else came)
    assert counts["used"] >= small_corpus.GOOD


def test_no_good_utterance_is_lost(built: Path) -> None:
    good = {f"u{number:02d}" for number in range(small_corpus.GOOD)}
    for stage in ("acoustic", "align", "text", "split"):
        assert not good & set(rejections(built, stage))
    assert {name for name in rejections(built, "prepare") if name in good} == {"u00"}
    assert [
        item.utterance_id for item in rejected(built, "prepare") if item.reason == "listed twice"
    ] == ["u00"] * 2


def test_what_lacks_a_modality_stays_for_the_others(built: Path) -> None:
    align_rejects = rejections(built, "align")
    assert align_rejects["text only"].reason == "no audio"
    assert align_rejects["audio only"].reason == "no words"
    assert "audio only" in Shards(built / "data" / STAGES["acoustic"])
    words = pq.read_table(built / "data" / STAGES["text"] / "words.parquet")[
        "utterance_id"
    ].to_pylist()
    assert "text only" in words and "audio only" not in words


def test_truncated_frames_and_padding_are_told(built: Path) -> None:
    whole = json.loads((built / "data/acoustic/manifest/fbank.metrics.json").read_text())
    cut = json.loads((built / "data/acoustic/manifest/fbank-short.metrics.json").read_text())
    assert whole["frames_lost_share"] == 0 and cut["frames_lost_share"] == pytest.approx(
        1 - cut["frames"] / whole["frames"]
    )
    shards = Shards(built / "data/acoustic/manifest/fbank-short")
    longest = Shards(built / "data/acoustic/manifest/fbank")
    for name in shards:
        assert shards.length(name) == min(20, longest.length(name))
        assert shards.length(name) + shards.lost(name) == longest.length(name)
        np.testing.assert_array_equal(shards.read(name), longest.read(name)[:20])
    lengths = [shards.length(name) for name in shards]
    assert cut["padding_share"] == pytest.approx(1 - sum(lengths) / (20 * len(lengths)))
    assert (
        shards.attributes["timing"]["frame_shift"] == 0.01 and shards.attributes["max_frames"] == 20
    )


def test_words_outside_the_vectors_are_counted(built: Path) -> None:
    metrics = json.loads((built / "data/text/manifest/glove.metrics.json").read_text())
    known = pq.read_table(built / "data/text/manifest/glove/vocabulary.parquet").to_pylist()
    assert [row["word"] for row in known if row["known"]] == ["no", "rain"]
    unknown = sum(row["count"] for row in known if not row["known"])
    assert metrics["unknown_words"] == unknown
    assert metrics["unknown_share"] == pytest.approx(unknown / metrics["words"])


def test_test_rows_carry_no_label_and_all_labels_lie_apart(built: Path) -> None:
    folder = built / "data" / STAGES["split"]
    rows = fold_rows.read(folder / "folds.parquet")
    assert all((emotion is None) == (subset == "test") for _, subset, _, emotion in rows)
    labels = {
        row["utterance_id"]: row["emotion"]
        for row in pq.read_table(folder / "labels.parquet").to_pylist()
    }
    assert {utterance_id for _, _, utterance_id, _ in rows} == set(labels)
    assert all(labels[name] == emotion for _, _, name, emotion in rows if emotion)


def test_training_and_evaluation_end_in_metrics(built: Path) -> None:
    folder = built / "models" / "small"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"wa", "ua", "macro_f1", "n", "test_selected"} <= set(metrics)
    assert metrics["n"] == small_corpus.GOOD
    unusable = tables.read_rejections(folder / "folds" / "rejects.parquet")
    assert {item.utterance_id: item.detail for item in unusable} == {
        "text only": "acoustic features, word alignment",
        "too short": "acoustic features, word alignment",
        "audio only": "word alignment, words",
        "only a noise": "word alignment, words",
    }
    assert (folder / "folds" / "experiment.json").is_file() and (folder / "live").is_dir()
    made_with = json.loads((folder / "environment.json").read_text())
    assert made_with == {"serflow": __version__, **lookup.environment(), "device": "cpu"}
    # The same on every machine of its kind.
    told = " ".join(made_with.values())
    assert str(built) not in told and os.uname().nodename not in told


def copy_of(built: Path, folder: Path) -> Path:
    """The utterances alone, in a folder of their own, with the same params."""
    import shutil

    shutil.copytree(built / "data" / "utterances", folder / "data" / "utterances")
    return Path(shutil.copy(built / "params.yaml", folder / "params.yaml"))


def test_stages_give_the_same_bytes_again(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.run_serially(monkeypatch)
    params_file, data = copy_of(built, tmp_path), tmp_path / "data"
    prepare.main("manifest", params_file, data)
    acoustic.main("manifest", "fbank", params_file, data)
    align.main("manifest", "uniform", params_file, data)
    text.main("manifest", "word2vec", params_file, data)
    split.main("manifest", "random-three", params_file, data)
    for stage, place in STAGES.items():
        assert fabricated.files(data / place) == fabricated.files(built / "data" / place), stage


def test_other_test_labels_leave_the_folds_as_they_are(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only the loop: the protocol too makes its validation sets without the test
    rows' labels.
    """
    fabricated.run_serially(monkeypatch)
    params_file = copy_of(built, tmp_path)
    document = yaml.safe_load(params_file.read_text())
    document["splits"]["speaker-one"] = {
        "labels": {name: name for name in small_corpus.LABELS},
        "test": ["s3"],
    }
    params_file.write_text(yaml.safe_dump(document))
    split.main("manifest", "speaker-one", params_file, tmp_path / "data")
    before = fabricated.files(tmp_path / "data/splits/manifest/speaker-one")
    path = tmp_path / "data/utterances/manifest/utterances.parquet"
    turned = {"sad": "angry", "angry": "neutral", "neutral": "sad"}
    changed = [
        dataclasses.replace(item, emotion=turned[item.emotion]) if item.speaker == "s3" else item
        for item in tables.read_utterances(path)
    ]
    tables.write_utterances(path, changed)
    split.main("manifest", "speaker-one", params_file, tmp_path / "data")
    after = fabricated.files(tmp_path / "data/splits/manifest/speaker-one")
    assert after["folds.parquet"] == before["folds.parquet"]
    assert after["labels.parquet"] != before["labels.parquet"]


def test_names_that_do_not_exist_stop_before_any_work(built: Path, tmp_path: Path) -> None:
    params_file, data = built / "params.yaml", tmp_path / "data"
    items = ((acoustic, "mfcc"), (align, "mfa"), (text, "bert"), (split, "speaker"))
    calls = [(name, partial(stage.main, "manifest", name)) for stage, name in items]
    calls += [("demo", partial(prepare.main, "demo")), ("big", partial(train.main, "big"))]
    for name, call in calls:
        with pytest.raises(ConfigurationError, match=f"unknown name '{name}' in .*, expected one"):
            call(params_file=params_file, data=data)
    assert not data.exists()


def test_utterances_that_vanish_stop_the_stage(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"3 utterances are not 1 used \+ 1 rejected"):
        entry.account("test", tmp_path, 3, 1, [Rejection("a", "test", "gone")], {})
    assert not list(tmp_path.iterdir())


def test_accounts_count_rows_and_keep_brackets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A manifest may list one name three times.
    entry.account("test", tmp_path, 3, 1, [Rejection("a", "test", "[b] twice")] * 2, {"x": 1})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "utterances": 3,
        "used": 1,
        "rejected": 2,
        "x": 1,
    }
    said = capsys.readouterr().err
    assert "3 utterances = 1 used + 2 rejected" in said and "2 × [b] twice" in said


@pytest.mark.parametrize(
    "raised",
    [ConfigurationError("a [b]"), FloatingPointError("nan [b]"), WorkerKilledError("train [b]")],
    ids=str,
)
def test_what_a_user_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: Exception
) -> None:
    def main() -> None:
        raise raised

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as ended:
        entry.run(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {raised}\n"


def test_the_command_says_one_line_and_exits_with_two(tmp_path: Path) -> None:
    """As DVC calls it: a process of its own."""
    (tmp_path / "params.yaml").write_text("acoustic: {fbank: {num_mel_bin: 40}}\n")
    command = [
        sys.executable,
        "-m",
        "stages.acoustic",
        "demo",
        "fbank",
        "--params",
        str(tmp_path / "params.yaml"),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: acoustic.fbank: unknown key num_mel_bin, expected one of ['")
