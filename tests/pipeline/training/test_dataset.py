from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import shards, tables, text
from pipeline.batch import Sizes, collate
from pipeline.lookup import ConfigurationError
from pipeline.schema import FrameTiming, Utterance, WordSpan
from pipeline.shards import Rows
from pipeline.training import dataset
from pipeline.training.fitted import Fitted, fit, sizes
from pipeline.training.inputs import Folders, Inputs, lacking, open_inputs
from tests.resources import fabricated

TIMING = FrameTiming(0.01, 0.01, 0.005)


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)


def frames() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(2)
    return {
        name: (generator.standard_normal((length, 2)) * [3, 0] + [1000, 7]).astype(np.float32)
        for name, length in {"a": 5, "b": 9, "c": 4, "test": 6}.items()
    }


WORDS = {"a": ("no", "no", "yes"), "b": ("yes",), "c": ("go", "no"), "test": ("tea", "no", "why")}


def write(
    folder: Path,
    features: Mapping[str, np.ndarray] | None = None,
    words: Mapping[str, tuple[str, ...]] = WORDS,
    embedded: str = "one_hot",
    settings: Mapping[str, object] | None = None,
) -> Inputs:
    given = frames() if features is None else features

    def produce(wanted) -> Iterator[Rows]:
        return (Rows(item, given[item]) for item in wanted)

    attributes = {
        "feature_dim": 2,
        "timing": {"frame_length": 0.01, "frame_shift": 0.01, "first_center": 0.005},
    }
    shards.build(folder / "acoustic", dict.fromkeys(given, "1"), list, produce, attributes, "test")
    spans = [
        WordSpan(name, place, word, place * 0.02, place * 0.02 + 0.02, None, "made")
        for name, spoken in words.items()
        for place, word in enumerate(spoken)
    ]
    tables.write_spans(folder / "spans" / "spans.parquet", tables.span_table(spans), {})
    utterances = [Utterance(name, "tiny", "sad", words=spoken) for name, spoken in words.items()]
    config = text.settings(embedded, settings or {})
    text.embed_corpus(utterances, embedded, config, folder / "text")
    return opened(folder)


def opened(folder: Path, *without: str) -> Inputs:
    places = {name: folder / name for name in ("acoustic", "spans", "text", "split")}
    return open_inputs(Folders(**{**places, **dict.fromkeys(without)}))


def test_moments_are_those_of_numpy_over_all_training_frames(tmp_path: Path) -> None:
    inputs = write(tmp_path)
    fitted = fit(inputs, ["a", "b", "c"], "train")
    together = np.concatenate([frames()[name] for name in ("a", "b", "c")]).astype(np.float64)
    assert fitted.mean is not None and fitted.deviation is not None
    np.testing.assert_allclose(fitted.mean, together.mean(axis=0), rtol=1e-6)
    # A column that never changes is centred, not divided by nothing.
    np.testing.assert_allclose(fitted.deviation, [together[:, 0].std(), 1.0], rtol=1e-5)
    (example,) = dataset.Examples(inputs, fitted, ["a"], [0])
    expected = (frames()["a"] - together.mean(axis=0)) / [together[:, 0].std(), 1.0]
    np.testing.assert_allclose(example.frames, expected, atol=1e-3)


def test_features_may_stay_as_they_are(tmp_path: Path) -> None:
    inputs = write(tmp_path)
    fitted = fit(inputs, ["a"], "none")
    assert fitted.mean is None and fitted.deviation is None
    np.testing.assert_array_equal(
        dataset.Examples(inputs, fitted, ["b"], None)[0].frames, frames()["b"]
    )


def same(first: Fitted, second: Fitted) -> bool:
    arrays = ("mean", "deviation", "table")
    return first.vocabulary == second.vocabulary and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays
    )


@pytest.mark.parametrize("embedded", ["one_hot", "word2vec"])
def test_nothing_fitted_depends_on_test_rows(tmp_path: Path, embedded: str) -> None:
    settings = {"vector_size": 4, "epochs": 2} if embedded == "word2vec" else {}
    before = fit(write(tmp_path / "1", None, WORDS, embedded, settings), ["a", "b", "c"], "train")
    louder = {**frames(), "test": frames()["test"] * 100}
    other_words = {**WORDS, "test": ("go",) * 40}
    after = fit(
        write(tmp_path / "2", louder, other_words, embedded, settings), ["a", "b", "c"], "train"
    )
    assert same(before, after)
    assert (before.table is None) == (embedded == "one_hot")
    assert "tea" not in before.vocabulary
    # The same change on a training row is seen: otherwise this test would pass on
    # anything.
    seen = fit(
        write(
            tmp_path / "3",
            {**louder, "a": louder["a"] * 2},
            {**WORDS, "a": ("late",)},
            embedded,
            settings,
        ),
        ["a", "b", "c"],
        "train",
    )
    assert not np.array_equal(seen.mean, before.mean) and seen.vocabulary != before.vocabulary


def test_words_are_numbered_from_one_and_unknown_ones_are_zero(tmp_path: Path) -> None:
    inputs = write(tmp_path)
    fitted = fit(inputs, ["a", "b", "c"], "train")
    assert fitted.vocabulary == ("no", "yes", "go")
    (example,) = dataset.Examples(inputs, fitted, ["test"], None)
    assert example.word_ids is not None
    assert example.word_ids.tolist() == [0, 1, 0]
    assert (example.words, example.one_hot_dim) == (None, 3)
    batch = collate([example])
    assert batch.words is not None
    assert batch.words.tolist() == [[[0, 0, 0], [1, 0, 0], [0, 0, 0]]]
    assert sizes(inputs, fitted, 4) == Sizes(
        feature_dim=2, word_dim=3, vocabulary_size=4, num_classes=4
    )


def test_pretrained_vectors_are_kept_for_words_that_training_lacks(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("no 1 2\nyes 3 4\ngo 5 6\ntea 7 8\n")
    inputs = write(tmp_path, None, WORDS, "glove", {"path": str(vectors)})
    fitted = fit(inputs, ["a", "b", "c"], "train")
    assert fitted.table is None and fitted.vocabulary == ("go", "no", "yes")
    (example,) = dataset.Examples(inputs, fitted, ["test"], None)
    assert example.words is not None and example.word_ids is not None
    assert example.words[:2].tolist() == [[7, 8], [1, 2]] and example.word_ids.tolist() == [0, 2, 0]
    assert sizes(inputs, fitted, 2).word_dim == 2


def test_max_words_cuts_words_ids_and_segments_alike(tmp_path: Path) -> None:
    inputs = write(tmp_path)
    fitted = fit(inputs, ["a", "b", "c"], "train")
    (whole,) = dataset.Examples(inputs, fitted, ["a"], [1])
    (cut,) = dataset.Examples(inputs, fitted, ["a"], [1], max_words=2)
    assert whole.segments is not None and whole.segments.tolist() == [[0, 2], [2, 4], [4, 5]]
    for name in ("words", "word_ids", "segments"):
        short, long = (getattr(collate([example]), name)[0] for example in (cut, whole))
        assert short.tolist() == long[:2].tolist()
    assert cut.label == 1


def test_words_outside_truncated_frames_have_no_frames() -> None:
    fitted = Fitted(None, None, ("no",), None)
    spans = (np.array([0.0, 0.02, 0.5]), np.array([0.02, 0.04, 0.6]))
    example = dataset.make_example(
        "u",
        None,
        fitted,
        np.zeros((4, 1), np.float32),
        TIMING,
        ["no"] * 3,
        np.zeros((3, 2), np.float32),
        spans,
        None,
    )
    assert example.segments is not None and example.segments.shape == (3, 2)
    assert int(example.segments.max()) <= 4


def test_token_vectors_come_without_word_ids() -> None:
    fitted = Fitted(None, None, ("no",), None)
    example = dataset.make_example(
        "u", 0, fitted, None, None, ["no", "no"], np.ones((5, 3), np.float32), None, max_words=4
    )
    assert example.words is not None and example.words.shape == (4, 3)
    assert example.word_ids is not None and example.word_ids.tolist() == [0, 0, 0, 0]
    assert example.frames is None and example.segments is None


def test_what_lacks_an_input_is_rejected_with_what_it_lacks(tmp_path: Path) -> None:
    write(tmp_path)
    spans = pq.read_table(tmp_path / "spans" / "spans.parquet").to_pylist()
    kept = [
        row
        for row in spans
        if row["utterance_id"] != "b" and (row["utterance_id"], row["word_index"]) != ("c", 1)
    ]
    pq.write_table(pa.Table.from_pylist(kept), tmp_path / "spans" / "spans.parquet")
    found = lacking(opened(tmp_path), ["a", "b", "c", "nobody"])
    assert list(found) == ["b", "c", "nobody"]
    assert [(i.utterance_id, i.stage, i.reason, i.detail) for i in found.values()] == [
        ("b", "train", "input missing", "word alignment"),
        ("c", "train", "alignment incomplete", "1 of 2 words have times"),
        ("nobody", "train", "input missing", "acoustic features, word alignment, words"),
    ]


def test_what_is_missing_is_zeros_as_in_padding(tmp_path: Path) -> None:
    inputs = write(tmp_path)
    fitted = fit(inputs, ["a", "b", "nobody"], "train")
    whole = fit(inputs, ["a", "b"], "train")
    assert fitted.vocabulary == whole.vocabulary and np.array_equal(fitted.mean, whole.mean)
    (example,) = dataset.Examples(inputs, fitted, ["nobody"], [0])
    assert example.frames is not None and example.segments is not None
    assert example.frames.shape[0] == 1 and not example.frames.any(), "zero once normalised"
    assert example.word_ids is not None and example.word_ids.tolist() == [0]
    start, end = example.segments[0].tolist()
    assert start == end, "a word that was not placed has no frames"
    words = collate([example]).words
    assert words is not None and not words.any()


@pytest.mark.parametrize("needs", [{"audio"}, {"text"}, {"audio", "text"}])
def test_what_a_system_does_not_read_is_not_there(tmp_path: Path, needs: set[str]) -> None:
    write(tmp_path)
    sections = {"audio": "acoustic", "text": "text"}
    inputs = opened(tmp_path, "spans", *(sections[item] for item in sections if item not in needs))
    fitted = fit(inputs, ["a", "b"], "train")
    (example,) = dataset.Examples(inputs, fitted, ["a"], [0])
    assert (example.frames is not None, example.word_ids is not None) == (
        "audio" in needs,
        "text" in needs,
    )
    assert example.segments is None
    widths = sizes(inputs, fitted, 2)
    assert (widths.feature_dim > 0, widths.word_dim > 0, widths.vocabulary_size > 0) == (
        "audio" in needs,
        "text" in needs,
        "text" in needs,
    )


def test_training_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no training utterance has frames"):
        fit(write(tmp_path), [], "train")


def test_a_fold_too_large_for_memory_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write(tmp_path)
    fitted = fit(inputs, ["a", "b", "c"], "train")
    kept = dataset.Examples(inputs, fitted, ["a", "b"], [0, 1])
    assert kept[0] is kept[0]
    monkeypatch.setattr(dataset, "MEMORY_LIMIT", 10)
    anew = dataset.Examples(inputs, fitted, ["a", "b"], [0, 1])
    assert anew[0] is not anew[0]
    assert (
        len(anew) == 2 and [item.label for item in anew] == [0, 1] and anew[-1].utterance_id == "b"
    )
    assert [item.utterance_id for item in anew[0:2]] == ["a", "b"]
    np.testing.assert_array_equal(anew[1].frames, kept[1].frames)
    with pytest.raises(IndexError):
        anew[2]
