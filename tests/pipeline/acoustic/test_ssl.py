"""Speech encoders, on small models with random weights that the tests write."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from pipeline.acoustic import ssl
from pipeline.audio import AudioError
from pipeline.lookup import ConfigurationError
from tests.resources.small_models import SPEECH_ENCODERS, write_speech_encoder

TINY = {"hidden_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1, "vocab_size": 9}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_speech_encoder(tmp_path_factory.mktemp("encoder"))


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(num_samples)).astype(np.float32)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("kind", sorted(SPEECH_ENCODERS))
def test_equals_the_model_run_by_hand(
    kind: str, norm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 27 frames in pieces of 10, and the first layer's statistics in pieces of 640 of
    # 1799.
    monkeypatch.setattr(ssl, "FRAMES_AT_ONCE", 10)
    name = write_speech_encoder(tmp_path, kind, feat_extract_norm=norm)
    waveform = noise(9000)
    model = SPEECH_ENCODERS[kind][1].from_pretrained(name).eval()
    normalised = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
    with torch.no_grad():
        states = model(torch.from_numpy(normalised)[None], output_hidden_states=True).hidden_states
    for layer in (-1, 0, 1):
        ours = ssl.extract(waveform, 16000, ssl.Config(model=name, layer=layer))
        np.testing.assert_allclose(ours, states[layer][0].numpy(), atol=1e-5)
    mean = torch.stack(states).mean(dim=0)[0].numpy()
    np.testing.assert_allclose(
        ssl.extract(waveform, 16000, ssl.Config(model=name, layer="mean")), mean, atol=1e-5
    )
    weighted = ((states[0] + 3 * states[2]) / 4)[0].numpy()
    config = ssl.Config(model=name, layer_weights=(1, 0, 3))
    np.testing.assert_allclose(ssl.extract(waveform, 16000, config), weighted, atol=1e-5)


def test_the_preprocessor_decides_about_normalisation(tmp_path: Path) -> None:
    config = ssl.Config(model=write_speech_encoder(tmp_path, normalise=False), layer=0)
    waveform = noise(4000)
    model = SPEECH_ENCODERS["wav2vec2"][1].from_pretrained(config.model).eval()
    with torch.no_grad():
        state = model(torch.from_numpy(waveform)[None], output_hidden_states=True).hidden_states[0]
    np.testing.assert_allclose(ssl.extract(waveform, 16000, config), state[0].numpy(), atol=1e-5)


def test_frames_are_counted_as_the_timing_says(encoder: str) -> None:
    config = ssl.Config(model=encoder)
    timing = ssl.timing(config)
    assert (timing.frame_length, timing.frame_shift, timing.first_center) == (0.025, 0.02, 0.0125)
    for num_samples in (400, 719, 720, 16000):
        assert len(ssl.extract(noise(num_samples), 16000, config)) == 1 + (num_samples - 400) // 320
    with pytest.raises(AudioError, match="audio too short: 399 samples"):
        ssl.extract(noise(399), 16000, config)


def test_names_are_as_many_as_the_model_is_wide(encoder: str) -> None:
    assert ssl.feature_names(ssl.Config(model=encoder)) == [f"ssl_{i}" for i in range(1, 17)]


def test_wrong_layers_weights_and_rates_are_refused(encoder: str) -> None:
    waveform = noise(1000)
    with pytest.raises(ConfigurationError, match="layer 3, expected -3 to 2"):
        ssl.extract(waveform, 16000, ssl.Config(model=encoder, layer=3))
    with pytest.raises(ConfigurationError, match="2 layer_weights, expected 3"):
        ssl.extract(waveform, 16000, ssl.Config(model=encoder, layer_weights=(1, 1)))
    with pytest.raises(ConfigurationError, match="hears 16000 Hz, but sampling_rate is 8000"):
        ssl.extract(waveform, 8000, ssl.Config(model=encoder))
    with pytest.raises(ValidationError, match="expected weights >= 0 with a positive sum"):
        ssl.Config(layer_weights=(0.0, 0.0))


def test_a_model_without_a_preprocessor_is_refused(tmp_path: Path) -> None:
    config = ssl.Config(model=write_speech_encoder(tmp_path))
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigurationError, match="AutoFeatureExtractor cannot read"):
        ssl.extract(noise(1000), 16000, config)


def test_other_weights_under_the_same_name_are_another_model(tmp_path: Path) -> None:
    config = ssl.Config(model=write_speech_encoder(tmp_path))
    before = ssl.identity(config)
    assert ssl.identity(ssl.Config(model=config.model, layer=0)) == before
    weights = load_file(tmp_path / "model.safetensors")
    changed = {key: value + 1 for key, value in weights.items()}
    save_file(changed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert ssl.identity(config) != before


def test_a_text_model_is_refused(tmp_path: Path) -> None:
    BertModel(BertConfig(**TINY)).save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="'bert' model, not a speech encoder"):
        ssl.feature_names(ssl.Config(model=str(tmp_path)))
