import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipeline import tables, tokens
from pipeline.corpora import _preparation as preparation
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, TimedWord, Utterance
from tests.resources import recordings
from tests.resources.prepare_stage import flagged

WORDS = tokens.Config()


def utterance(path: Path | None, **fields: object) -> Utterance:
    values: dict[str, object] = {"emotion": "angry", "transcript": "Go away!"}
    return Utterance(
        "u1", "tiny", audio_path=None if path is None else str(path), **(values | fields)
    )


def test_prepare_adds_words_hash_and_duration(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.wav", seconds=0.5, sampling_rate=8000)
    prepared = preparation.prepare_utterance(utterance(path), WORDS)
    assert isinstance(prepared, Utterance)
    assert prepared.words == ("go", "away")
    assert prepared.duration == 0.5
    assert prepared.audio_sha256 is not None and len(prepared.audio_sha256) == 64


def test_prepare_hashes_samples_not_containers(tmp_path: Path) -> None:
    wav = recordings.write(tmp_path / "a.wav", seed=1)
    flac = recordings.write(tmp_path / "b.flac", seed=1)
    other = recordings.write(tmp_path / "c.wav", seed=2)
    hashes = [
        preparation.prepare_utterance(utterance(path), WORDS).audio_sha256
        for path in (wav, flac, other)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("writer", "reason"),
    [
        (recordings.write_corrupt, "audio unreadable"),
        (recordings.write_empty, "audio unreadable"),
        (recordings.write_truncated, "audio truncated"),
        (recordings.write_without_samples, "audio empty"),
        (recordings.write_silent, "audio silent"),
        (lambda path: path, "audio not found"),
    ],
)
def test_broken_recordings_become_rejections(tmp_path: Path, writer, reason: str) -> None:
    path = writer(tmp_path / "broken.wav")
    rejection = preparation.prepare_utterance(utterance(path), WORDS)
    assert isinstance(rejection, Rejection)
    assert (rejection.utterance_id, rejection.stage, rejection.reason) == ("u1", "prepare", reason)
    assert "broken.wav" in rejection.detail


def test_a_segment_has_its_own_length_and_hash_and_must_lie_inside(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "long.wav", seconds=2.0)
    first, second, outside = (
        preparation.prepare_utterance(utterance(path, start=start, end=end), WORDS)
        for start, end in [(0.0, 0.5), (0.5, 1.25), (1.9, 2.6)]
    )
    assert (first.duration, second.duration) == (0.5, 0.75)
    assert first.audio_sha256 != second.audio_sha256
    assert isinstance(outside, Rejection) and outside.reason == "segment outside the recording"


def test_a_missing_modality_is_legal_but_not_both(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "a.wav")
    silent_reader = preparation.prepare_utterance(utterance(path, transcript="  "), WORDS)
    text_only = preparation.prepare_utterance(utterance(None), WORDS)
    neither = preparation.prepare_utterance(utterance(None, transcript=" "), WORDS)
    unlabelled = preparation.prepare_utterance(utterance(path, emotion=" "), WORDS)
    assert isinstance(silent_reader, Utterance) and silent_reader.words == ()
    assert (
        isinstance(text_only, Utterance)
        and text_only.duration is None
        and text_only.words == ("go", "away")
    )
    assert isinstance(neither, Rejection) and neither.reason == "no audio and no transcript"
    assert isinstance(unlabelled, Rejection) and unlabelled.reason == "no label"


def test_stereo_is_mixed_down_before_hashing(tmp_path: Path) -> None:
    mono = recordings.write(tmp_path / "mono.wav", seed=3)
    samples, rate = soundfile.read(mono, dtype="int16")
    soundfile.write(tmp_path / "stereo.wav", np.stack([samples, samples], axis=1), rate)
    assert (
        preparation.prepare_utterance(utterance(mono), WORDS).audio_sha256
        == preparation.prepare_utterance(utterance(tmp_path / "stereo.wav"), WORDS).audio_sha256
    )


def test_duplicates_point_to_the_first_id_whatever_the_order() -> None:
    rows = [
        Utterance(name, "tiny", "angry", audio_sha256=digest)
        for name, digest in [("c", "x"), ("a", "y"), ("b", "x"), ("d", None), ("e", None)]
    ]
    marked = flagged(rows)
    assert {row.utterance_id: row.duplicate_of for row in marked} == {
        "a": None, "b": None, "c": "b", "d": None, "e": None,
    }  # fmt: skip
    assert flagged(reversed(rows)) == marked == flagged(marked)


def test_a_corpus_of_which_nothing_is_left_counts_the_reasons() -> None:
    rejections = [
        Rejection("b", "prepare", "no label", "row 2"),
        Rejection("a", "prepare", "audio not found", "x/a.wav"),
        Rejection("c", "prepare", "audio not found", "x/c.wav"),
    ]
    with pytest.raises(ConfigurationError) as raised:
        preparation.require_usable("mine", 0, rejections)
    assert str(raised.value) == (
        "no utterance of corpora.mine can be used: 2 × audio not found, 1 × no label "
        "(for example a: x/a.wav)"
    )
    with pytest.raises(ConfigurationError, match="its reader found none"):
        preparation.require_usable("mine", 0, [])
    preparation.require_usable("mine", 1, rejections)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
optional = st.none() | text
seconds = st.none() | st.floats(0, 1e4)
utterances = st.builds(
    Utterance,
    utterance_id=text.filter(bool),
    corpus=text,
    emotion=text,
    audio_path=optional,
    start=seconds,
    end=seconds,
    transcript=optional,
    words=st.lists(text, max_size=3).map(tuple),
    speaker=optional,
    subset=optional,
    ratings=st.dictionaries(st.sampled_from(["valence", "activation"]), st.floats(-5, 5)),
    votes=st.lists(text, max_size=3).map(tuple),
    audio_sha256=optional,
    duration=seconds,
    duplicate_of=optional,
)


@given(st.lists(utterances, max_size=5, unique_by=lambda row: row.utterance_id), st.randoms())
def test_parquet_round_trip_is_exact_and_independent_of_order(
    tmp_path_factory, rows, random
) -> None:
    folder = tmp_path_factory.mktemp("parquet")
    shuffled = random.sample(rows, len(rows))
    tables.write_utterances(folder / "a.parquet", rows)
    tables.write_utterances(folder / "b.parquet", shuffled)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
    assert tables.read_utterances(folder / "a.parquet") == sorted(
        rows, key=lambda row: row.utterance_id
    )


def test_every_field_of_an_utterance_is_stored(tmp_path: Path) -> None:
    values = {field.name: f"<{field.name}>" for field in dataclasses.fields(Utterance)}
    lists = {"words": ("a", "b"), "votes": ("E2:angry",), "ratings": {"valence": 1.5}}
    lists["word_times"] = (TimedWord("a", 0.1, 0.2, None), TimedWord("b", 0.2, 0.3, 0.5))
    lists["fingerprint"] = b"\x01\x80"
    full = Utterance(**(values | lists | {"start": 0.25, "end": 1.0, "duration": 0.75}))
    tables.write_utterances(tmp_path / "u.parquet", [full])
    assert tables.read_utterances(tmp_path / "u.parquet") == [full]
    stored = tables.read_table(tmp_path / "u.parquet")["fingerprint"].to_pylist()
    assert stored == [b"\x01\x80"], "for the stage split alone"


def test_words_that_nobody_recognised_have_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "u.parquet"
    plain = Utterance("a", "c", "sad", transcript="no", words=("no",))
    tables.write_utterances(path, [plain])
    assert not {"words_from", "word_times"} & set(tables.read_table(path).column_names)
    assert tables.read_utterances(path) == [plain]
    heard = dataclasses.replace(plain, utterance_id="b", words_from="whisper")
    tables.write_utterances(path, [plain, heard])
    assert tables.read_utterances(path) == [plain, heard]


def test_repeated_and_empty_ids_stop_the_build(tmp_path: Path) -> None:
    row = Utterance("same", "tiny", "angry")
    with pytest.raises(ConfigurationError, match=r"same.*expected distinct ids"):
        tables.write_utterances(tmp_path / "u.parquet", [row, row])
    with pytest.raises(ConfigurationError, match="empty id"):
        tables.write_utterances(tmp_path / "u.parquet", [dataclasses.replace(row, utterance_id="")])
    assert list(tmp_path.iterdir()) == []


def test_rejections_round_trip_sorted_and_replace_a_read_only_hard_link(tmp_path: Path) -> None:
    rows = [
        Rejection("b", "prepare", "audio silent", "x"),
        Rejection("a", "align", "partial"),
        Rejection("b", "align", "y"),
    ]
    path = tmp_path / "rejects.parquet"
    tables.write_rejections(path, [])
    cached = tmp_path / "cache"
    cached.hardlink_to(path)
    path.chmod(0o444)
    before = cached.read_bytes()
    tables.write_rejections(path, rows)
    assert tables.read_rejections(path) == [rows[1], rows[2], rows[0]]
    assert cached.read_bytes() == before


def test_reading_something_else_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "u.parquet").write_text("not parquet")
    with pytest.raises(ConfigurationError, match="build it again with `dvc repro`"):
        tables.read_utterances(tmp_path / "u.parquet")
    with pytest.raises(ConfigurationError, match="is missing: build it with `dvc repro`"):
        tables.read_utterances(tmp_path / "missing.parquet")
