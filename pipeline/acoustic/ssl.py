"""Hidden states of a self-supervised speech encoder of the transformers library:
wav2vec2, HuBERT, WavLM and their kin.

Baevski et al., "wav2vec 2.0", NeurIPS 2020; Hsu et al., "HuBERT", IEEE/ACM TASLP 29,
2021; Chen et al., "WavLM", IEEE JSTSP 16(6), 2022. Encoders with group normalisation
change their output with padding, so each waveform goes through alone.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import audio, pretrained
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import FrameTiming

FRAMES_AT_ONCE = 128  # through the convolutions: 2.6 s


@checked
class Config:
    """A speech encoder by its name on the model hub or by the folder that holds its
    files; sampling_rate in Hz.

    `layer` chooses a hidden state: 0 is the input of the first transformer layer, -1
    the output of the last, `mean` the mean of all. `layer_weights` takes a weighted
    mean of all instead, one weight per hidden state, the input included.
    """

    model: str = "facebook/wav2vec2-base"
    revision: str | None = None
    layer: int | Literal["mean"] = -1
    layer_weights: tuple[float, ...] | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    sampling_rate: audio.SamplingRate = 16000
    max_frames: int | None = Field(default=None, ge=1)

    def __post_init__(self) -> None:
        if self.layer_weights is not None and (
            min(self.layer_weights, default=-1) < 0 or sum(self.layer_weights) <= 0
        ):
            raise ValueError(
                f"layer_weights = {self.layer_weights}, expected weights >= 0 with a positive sum"
            )


def extract(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> NDArray[np.float32]:
    """Hidden states of a waveform (num_samples,) in [-1, 1]: (num_frames, hidden_size),
    as a rule one frame every 20 ms.

    Raises AudioError when the waveform is shorter than one frame, ConfigurationError
    when the model cannot be found or has no such layer.
    """
    import torch

    model, preprocessor = _load(config.model, config.revision, config.device)
    if sampling_rate != preprocessor.sampling_rate:
        raise ConfigurationError(
            f"ssl: {config.model} hears {preprocessor.sampling_rate} Hz, but sampling_rate is "
            f"{sampling_rate}: set sampling_rate: {preprocessor.sampling_rate}"
        )
    audio.require_samples(len(waveform), _field(model.config)[0], sampling_rate)
    # The preprocessor alone knows whether its model wants zero mean and unit variance.
    inputs = preprocessor(
        [np.asarray(waveform, dtype=np.float32)], sampling_rate=sampling_rate, return_tensors="pt"
    ).input_values
    with torch.inference_mode(), pretrained.one_thread():
        states = model(inputs.to(config.device), output_hidden_states=True).hidden_states
    return _combine([state[0] for state in states], config)


def _combine(states: Sequence[Any], config: Config) -> NDArray[np.float32]:
    """One hidden state (num_frames, hidden_size), or the weighted mean of all."""
    number, weights = len(states), config.layer_weights
    if weights is not None and len(weights) != number:
        raise ConfigurationError(
            f"ssl: {len(weights)} layer_weights, expected {number} for {config.model}"
        )
    if weights is None and config.layer != "mean":
        if not -number <= config.layer < number:
            raise ConfigurationError(
                f"ssl: layer {config.layer}, expected {-number} to {number - 1} for {config.model}"
            )
        return np.asarray(states[config.layer].cpu().numpy(), dtype=np.float32)
    weights = weights or (1.0,) * number
    total = sum(
        weight / sum(weights) * state for weight, state in zip(weights, states, strict=True)
    )
    return np.asarray(total.cpu().numpy(), dtype=np.float32)


@lru_cache(maxsize=1)
def _load(name: str, revision: str | None, device: str) -> tuple[Any, Any]:
    from transformers import AutoFeatureExtractor, AutoModel

    _model_config(name, revision)
    preprocessor = pretrained.load(AutoFeatureExtractor, name, revision)
    model = pretrained.load_network(AutoModel, name, revision, device)
    _convolve_in_pieces(model)
    return model, preprocessor


def _convolve_in_pieces(model: Any) -> None:
    """Runs the model's convolutions over one piece of the waveform after the other,
    where they are of a form that allows it.

    Over the whole, the first of them alone holds 12 MB for each second of a recording.
    """
    import torch

    layers = list(model.feature_extractor.conv_layers)
    norms: list[Any] = [getattr(layer, "layer_norm", None) for layer in layers]
    whole = [isinstance(norm, torch.nn.GroupNorm) for norm in norms]
    by_channel = not whole[0] or norms[0].num_groups == norms[0].num_channels
    if by_channel and not any(whole[1:]) and not any(any(layer.conv.padding) for layer in layers):
        model.feature_extractor.forward = partial(_convolve, layers, _field(model.config), whole[0])


def _convolve(
    layers: Sequence[Any], field_and_shift: tuple[int, int], normalised: bool, waveforms: Any
) -> Any:
    """Waveforms (B, num_samples) through convolutions without padding: (B, channels,
    num_frames).

    `normalised`: the first layer has a group norm, by channel, whose mean and variance
    are those of the whole waveform.
    """
    import torch

    x = waveforms[:, None]
    field, shift = field_and_shift
    statistics = _statistics(layers[0], x) if normalised else None
    num_frames = (x.shape[2] - field) // shift + 1
    pieces = []
    for start in range(0, num_frames, FRAMES_AT_ONCE):
        end = min(start + FRAMES_AT_ONCE, num_frames)
        piece = x[:, :, start * shift : (end - 1) * shift + field]
        for layer in layers:
            if statistics is not None and layer is layers[0]:
                mean, scale = statistics
                piece = (
                    layer.conv(piece).sub_(mean).mul_(scale).add_(layer.layer_norm.bias[:, None])
                )
                piece = layer.activation(piece)
            else:
                piece = layer(piece)
        pieces.append(piece)
    return torch.cat(pieces, dim=2)


def _statistics(layer: Any, x: Any) -> tuple[Any, Any]:
    """Mean and scale of each channel's group norm, both (B, channels, 1)."""
    import torch

    (field,), (shift,) = layer.conv.kernel_size, layer.conv.stride
    num_frames, block = (x.shape[2] - field) // shift + 1, FRAMES_AT_ONCE * 64
    total = square = torch.zeros((), dtype=torch.float64)
    for start in range(0, num_frames, block):
        end = min(start + block, num_frames)
        made = layer.conv(x[:, :, start * shift : (end - 1) * shift + field]).double()
        total, square = (
            total + made.sum(2, keepdim=True),
            square + made.square().sum(2, keepdim=True),
        )
    mean = total / num_frames
    scale = (square / num_frames - mean.square() + layer.layer_norm.eps).rsqrt()
    return mean.float(), scale.float() * layer.layer_norm.weight[:, None]


@lru_cache(maxsize=8)
def _model_config(name: str, revision: str | None) -> Any:
    from transformers import AutoConfig

    config = pretrained.load(AutoConfig, name, revision)
    if not (hasattr(config, "conv_stride") and hasattr(config, "conv_kernel")):
        raise ConfigurationError(
            f"ssl: {name} is a {config.model_type!r} model, not a speech encoder over the "
            "waveform: take one such as wav2vec2, hubert or wavlm"
        )
    return config


def _field(config: Any) -> tuple[int, int]:
    """Receptive field and shift of one frame in samples: 400 and 320 for wav2vec2."""
    field, shift = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * shift
        shift *= stride
    return field, prod(config.conv_stride)


def feature_names(config: Config) -> list[str]:
    """`ssl_1` .. `ssl_768`, as wide as the model's hidden states."""
    return [
        f"ssl_{i}" for i in range(1, _model_config(config.model, config.revision).hidden_size + 1)
    ]


def identity(config: Config) -> str:
    """Hash of the model's files: another model of the same name has other features."""
    return pretrained.identity(config.model, config.revision)


def timing(config: Config) -> FrameTiming:
    """A frame lies at the samples that its convolutions see; what the transformer adds
    from other frames does not count.
    """
    field, shift = _field(_model_config(config.model, config.revision))
    rate = config.sampling_rate
    return FrameTiming(field / rate, shift / rate, field / rate / 2)
