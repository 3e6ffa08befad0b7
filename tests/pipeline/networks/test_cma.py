"""What is particular to the CMA systems."""

from dataclasses import replace
from typing import Any

import torch

from pipeline.batch import Batch, Sizes
from pipeline.networks import cma

RAW = Sizes(feature_dim=1, word_dim=300, vocabulary_size=10, num_classes=4)


def batch(num_samples: int, num_words: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        frames=torch.randn(1, num_samples, 1, generator=generator),
        frame_lengths=torch.tensor([num_samples]),
        words=torch.randn(1, num_words, 300, generator=generator),
        word_lengths=torch.tensor([num_words]),
    )


def test_ten_seconds_become_371_steps_and_no_sample_is_skipped() -> None:
    network: Any = cma.CMA_raw(RAW).eval()
    with torch.no_grad():
        voice, lengths = network.voice(batch(160000))
    assert voice.shape == (1, 371, 100) and lengths.tolist() == [371]
    for block in network.voice.convolutions:
        assert block.convolution.stride <= block.convolution.conv.kernel_size[0]


def test_spectrum_keeps_a_step_for_eight_frames() -> None:
    network: Any = cma.CMA_spec(Sizes(257, 300, 10, 4)).eval()
    frames = torch.randn(1, 1000, 257)
    voice, lengths = network.voice(
        replace(batch(10), frames=frames, frame_lengths=torch.tensor([1000]))
    )
    assert voice.shape == (1, 125, 100) and lengths.tolist() == [125]


def test_utterance_vector_is_mean_and_deviation_of_both_directions() -> None:
    network: Any = cma.CMA_raw(RAW).eval()
    vector = network.embed(batch(5000))
    assert vector.shape == (1, 400)
    assert (vector[:, 100:200] >= 0).all() and (vector[:, 300:] >= 0).all()


def test_crops_waveform_and_words() -> None:
    network: Any = cma.CMA_raw(RAW, max_samples=4000, max_words=5).eval()
    whole = batch(5000)
    assert whole.frames is not None and whole.words is not None
    other = replace(whole, frames=whole.frames.clone(), words=whole.words.clone())
    assert other.frames is not None and other.words is not None
    other.frames[:, 4000:], other.words[:, 5:] = 99.0, 99.0
    torch.testing.assert_close(network(other), network(whole))


def test_published_sizes() -> None:
    network: Any = cma.CMA_raw(RAW)
    assert [tuple(block.convolution.conv.weight.shape) for block in network.voice.convolutions] == [
        (64, 1, 3),
        (100, 64, 5),
        (100, 100, 7),
    ]
    assert len(network.voice_to_text.blocks) == len(network.text_to_voice.blocks) == 2
    assert network.voice_to_text.blocks[0].attention.num_heads == 10
    assert (
        network.voice.recurrent.lstm.hidden_size == network.text.recurrent.lstm.hidden_size == 100
    )
    assert cma.CMA_raw.recipe.learning_rate == 1e-3  # type: ignore[attr-defined]
