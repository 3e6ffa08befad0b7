"""Acoustic features: each module turns a waveform into (num_frames, feature_dim)."""

from typing import Any

from pipeline import lookup
from pipeline.acoustic._extraction import (
    extract_corpus,
    feature_keys,
    features,
    padding_share,
    ready,
)

__all__ = ["extract_corpus", "feature_keys", "features", "padding_share", "ready", "settings"]


def settings(name: str, values: Any) -> Any:
    """The checked Config under `name` of the section `acoustic` of params.yaml."""
    return lookup.component_config("acoustic", name, values)
