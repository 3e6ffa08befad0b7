"""What every acoustic feature promises, whatever it computes."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from pipeline import lookup
from pipeline.audio import AudioError
from pipeline.schema import FrameTiming

RATE = 16000
# Beyond each module's defaults, the settings that change its shape or its timing.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "fbank": [{"differences": 2}, {"convention": "librosa"}],
    "mfcc": [{"deltas": 2, "num_coefficients": 13}],
    "short_term": [
        {"deltas": True},
        {"variant": "corrected", "frame_length": 0.2, "frame_shift": 0.1},
        {"backend": "package"},
    ],
    "egemaps": [{"level": "low_level_descriptors"}],
    "ssl": [{"layer": "mean"}],
}
CASES = [
    (name, values) for name in lookup.names("acoustic") for values in [{}, *VARIANTS.get(name, [])]
]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small speech encoder with random weights for `ssl`."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    Wav2Vec2Model(
        Wav2Vec2Config(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=24,
            conv_dim=(8,) * 7,
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
        )
    ).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(params=CASES, ids=lambda case: "-".join([case[0], *map(str, case[1].values())]))
def feature(request: pytest.FixtureRequest, encoder: Path) -> tuple[Any, Any]:
    """The module and a configuration of it."""
    name, values = request.param
    module = lookup.component("acoustic", name)
    return module, lookup.configure(
        module.Config, values | ({"model": str(encoder)} if name == "ssl" else {}), name
    )


def speech_like(num_samples: int) -> np.ndarray:
    time = np.arange(num_samples) / RATE
    tones = sum(np.sin(2 * np.pi * 160 * k * time) / k for k in range(1, 10))
    loudness = 0.2 * np.abs(np.sin(2 * np.pi * 3 * time + 0.5))
    return (
        loudness * tones + 0.001 * np.random.default_rng(0).standard_normal(num_samples)
    ).astype(np.float32)


@pytest.mark.parametrize("num_samples", [5000, 16000, 16159])
def test_shape_type_names_and_timing(feature: tuple[Any, Any], num_samples: int) -> None:
    module, config = feature
    waveform = speech_like(num_samples)
    before = waveform.copy()
    features = module.extract(waveform, RATE, config)
    np.testing.assert_array_equal(waveform, before)
    assert features.dtype == np.float32
    assert features.ndim == 2
    assert np.isfinite(features).all()
    names = module.feature_names(config)
    assert features.shape[1] == len(names) == len(set(names))
    assert all(isinstance(name, str) and name for name in names)
    timing = module.timing(config)
    assert isinstance(timing, FrameTiming)
    if timing.frame_shift == 0:
        assert len(features) == 1
        return
    # Frames begin at the beginning of the signal and end at its end, to within one
    # frame.
    duration = num_samples / RATE
    last = timing.first_center + (len(features) - 1) * timing.frame_shift
    assert 0 <= timing.first_center <= timing.frame_length / 2 + 1e-12
    margin = (
        max(timing.frame_length, 0.06)
        if module.__name__.endswith("egemaps")
        else timing.frame_length
    )
    assert duration - margin - timing.frame_shift <= last <= duration + 1e-9


def test_the_same_twice(feature: tuple[Any, Any]) -> None:
    module, config = feature
    waveform = speech_like(6000)
    np.testing.assert_array_equal(
        module.extract(waveform, RATE, config), module.extract(waveform, RATE, config)
    )


def test_read_only_input(feature: tuple[Any, Any]) -> None:
    module, config = feature
    waveform = speech_like(6000)
    waveform.flags.writeable = False
    assert len(module.extract(waveform, RATE, config))


@pytest.mark.parametrize("num_samples", [0, 1])
def test_too_short_says_what_was_expected(feature: tuple[Any, Any], num_samples: int) -> None:
    module, config = feature
    if module.__name__.endswith("waveform") and num_samples == 1:
        assert module.extract(speech_like(1), RATE, config).shape == (1, 1)
        return
    with pytest.raises(
        AudioError, match=rf"{num_samples} samples at {RATE} Hz, expected at least \d+"
    ) as raised:
        module.extract(speech_like(num_samples), RATE, config)
    assert raised.value.reason == "audio too short"


def test_loud_frames_are_where_the_sound_is(feature: tuple[Any, Any]) -> None:
    module, config = feature
    timing = module.timing(config)
    if timing.frame_shift == 0:
        pytest.skip("one row describes the whole utterance")
    waveform = 1e-4 * np.random.default_rng(1).standard_normal(16000).astype(np.float32)
    waveform[8000:12000] += speech_like(4000)
    features = module.extract(waveform, RATE, config).astype(np.float64)
    centres = timing.first_center + np.arange(len(features)) * timing.frame_shift
    reach = max(timing.frame_length, 0.06)
    quiet = features[(centres < 0.5 - reach) | (centres > 0.75 + reach)]
    loud = features[(centres > 0.5 + reach / 2) & (centres < 0.75 - reach / 2)]
    if module.__name__.endswith("ssl"):
        pytest.skip("a random encoder says nothing about loudness")
    if len(loud) == 0:
        loud = features[np.abs(centres - 0.625).argmin()][None]
    distance = np.abs(loud.mean(axis=0) - quiet.mean(axis=0)) / (quiet.std(axis=0) + 1e-9)
    if module.__name__.endswith("waveform"):
        distance = loud.std(axis=0) / quiet.std(axis=0)
    assert distance.max() > 3


def test_configuration_is_frozen_closed_and_complete(feature: tuple[Any, Any]) -> None:
    module, config = feature
    names = {field.name for field in fields(config)}
    assert {"sampling_rate", "max_frames"} <= names
    with pytest.raises(AttributeError):
        config.sampling_rate = 8000
    with pytest.raises(lookup.ConfigurationError, match=r"unknown key frame_size, expected one of"):
        lookup.configure(module.Config, {"frame_size": 1}, "here")
    with pytest.raises(ValidationError):
        module.Config(sampling_rate=0)
    with pytest.raises(ValidationError):
        module.Config(max_frames=0)


def test_every_module_says_what_it_is() -> None:
    for name in lookup.names("acoustic"):
        module = lookup.component("acoustic", name)
        for member in (module, module.Config, module.extract, module.feature_names, module.timing):
            assert member.__doc__, f"{name}: {member} has no docstring"
