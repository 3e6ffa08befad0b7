from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.batch import Batch, Example, collate, length_mask


def example(frames: int, words: int, label: int | None = 0) -> Example:
    generator = torch.Generator().manual_seed(100 * frames + words)
    bounds = torch.arange(words + 1) * frames // max(words, 1)
    return Example(
        f"{frames}-{words}",
        torch.randn(frames, 3, generator=generator),
        torch.randn(words, 2, generator=generator),
        torch.arange(1, words + 1),
        torch.stack([bounds[:-1], bounds[1:]], dim=1),
        label,
    )


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=6))
@settings(max_examples=30)
def test_every_example_stands_at_the_front_and_zeros_follow(shapes: list[tuple[int, int]]) -> None:
    examples = [example(*shape, label=number) for number, shape in enumerate(shapes)]
    batch = collate(examples)
    assert batch.size == len(shapes)
    assert batch.labels is not None and batch.labels.tolist() == list(range(len(shapes)))
    assert batch.frame_lengths is not None and batch.frame_lengths.tolist() == [
        frames for frames, _ in shapes
    ]
    assert batch.word_lengths is not None and batch.word_lengths.tolist() == [
        words for _, words in shapes
    ]
    for name in ("frames", "words", "word_ids", "segments"):
        padded = getattr(batch, name)
        for row, item in zip(padded, examples, strict=True):
            given_rows = getattr(item, name)
            assert torch.equal(row[: len(given_rows)], given_rows)
            assert not row[len(given_rows) :].any()
    assert torch.equal(batch.frame_mask.sum(dim=1), batch.frame_lengths)
    assert torch.equal(batch.word_mask.sum(dim=1), batch.word_lengths)


def test_masks_are_true_where_something_is() -> None:
    assert length_mask(torch.tensor([2, 0, 3]), 3).tolist() == [
        [True, True, False],
        [False, False, False],
        [True, True, True],
    ]


def test_one_unlabelled_example_hides_all_labels() -> None:
    assert collate([example(3, 2), example(3, 2, label=None)]).labels is None


def test_a_modality_that_nobody_reads_is_none() -> None:
    voice = collate([Example("a", frames=torch.ones(4, 1), label=1)])
    assert (voice.words, voice.word_lengths, voice.segments, voice.size) == (None, None, None, 1)
    with pytest.raises(ValueError, match="no words: this system needs a corpus with transcripts"):
        _ = voice.word_mask
    text = collate([Example("a", words=torch.ones(4, 1), label=1)])
    assert (text.frames, text.frame_lengths, text.size) == (None, None, 1)
    with pytest.raises(ValueError, match="no frames: this system needs a corpus with audio"):
        _ = text.frame_mask
    assert Batch().size == 0


def test_all_examples_have_an_input_or_none() -> None:
    with pytest.raises(
        ValueError, match="1 of 2 examples have this input: all must have it, or none"
    ):
        collate([Example("a", frames=torch.ones(4, 1)), Example("b", words=torch.ones(2, 1))])


def test_a_batch_moves_as_a_whole() -> None:
    moved = collate([example(3, 2)]).to("meta")
    assert all(getattr(moved, field.name).device.type == "meta" for field in fields(Batch))
    assert Batch(frames=torch.ones(1, 1, 1)).to("cpu").words is None


def test_one_hot_vectors_are_made_for_the_batch() -> None:
    ids = ([2, 0, 3], [1])
    batch = collate([Example(str(i), word_ids=torch.tensor(i), one_hot_dim=3) for i in ids])
    words, lengths = batch.text()
    assert words.dtype == torch.float32 and lengths.tolist() == [3, 1]
    assert words.tolist() == [[[0, 1, 0], [0, 0, 0], [0, 0, 1]], [[1, 0, 0], [0] * 3, [0] * 3]]


def test_a_missing_input_is_named() -> None:
    with pytest.raises(ValueError, match="no word ids: this system needs an embedding"):
        Batch().ids()
    with pytest.raises(ValueError, match="no word times: this system needs a word alignment"):
        Batch().placed_words()
