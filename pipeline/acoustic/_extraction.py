"""Acoustic features of a corpus into shards; a worker holds one utterance at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import audio, executor, lookup, shards, tables
from pipeline.schema import Rejection, Utterance
from pipeline.shards import Built, Rows


def extract_corpus(
    utterances: Any, feature: str, config: Any, folder: Path, memory: Path | None = None
) -> Built:
    """Brings `folder` to hold the feature of every utterance, as the feature module's
    `config` says. Rows of unchanged audio, settings and code are kept.

    `utterances` are a table of `tables.utterance_table`, `memory` is that of
    `shards.build`.
    """
    executor.prepare(f"pipeline.acoustic:{feature}", now=not folder.is_dir())
    module = lookup.component("acoustic", feature)
    names = list(module.feature_names(config))
    attributes = {
        "feature": feature,
        "config": asdict(config),
        "feature_names": names,
        "feature_dim": len(names),
        "sampling_rate": config.sampling_rate,
        "max_frames": config.max_frames,
        "timing": asdict(module.timing(config)),
    }
    produce = partial(_produce, feature, config)
    keys = feature_keys(utterances, feature, config)
    place = {utterance_id: row for row, utterance_id in enumerate(keys)}

    def items(utterance_ids: Sequence[str]) -> list[Utterance]:
        return tables.utterance_rows(utterances.take([place[item] for item in utterance_ids]))

    title = f"acoustic {feature}"
    return shards.build(folder, keys, items, produce, attributes, title, memory, one_by_one=True)


def feature_keys(utterances: Any, feature: str, config: Any) -> dict[str, str]:
    """Hash of what the rows of each utterance of a table follow from, by utterance_id:
    audio, settings and code.
    """
    module = lookup.component("acoustic", feature)
    made_by = [feature, asdict(config), lookup.fingerprint(module.__name__, "pipeline.audio")]
    if hasattr(module, "identity"):
        made_by.append(module.identity(config))
    key = lookup.keys_with(*made_by)
    names = ("utterance_id", "audio_sha256", "start", "end")
    rows = zip(*(utterances[name].to_pylist() for name in names), strict=True)
    return {utterance_id: key(*parts) for utterance_id, *parts in rows}


def features(utterance: Utterance, feature: str, config: Any) -> tuple[NDArray[np.float32], int]:
    """The first `max_frames` frames of an utterance, (num_frames, feature_dim), and how
    many frames `max_frames` cut off.

    Raises AudioError when the recording cannot be used.
    """
    module = lookup.component("acoustic", feature)
    waveform = audio.load(utterance, config.sampling_rate)
    frames = module.extract(waveform, config.sampling_rate, config)
    kept = frames[: config.max_frames]
    return kept, len(frames) - len(kept)


def ready(feature: str) -> None:
    """Loads what extracting a feature needs, compiled loops among it: half a second.

    Not where a model belongs to it: what uses a GPU cannot be copied.
    """
    import soundfile  # noqa: F401
    import soxr  # noqa: F401

    module = lookup.component("acoustic", feature)
    if not hasattr(module, "identity"):
        config = module.Config()
        second = np.sin(np.arange(config.sampling_rate), dtype=np.float32)
        module.extract(second, config.sampling_rate, config)


def padding_share(lengths: Sequence[int], max_frames: int | None) -> float:
    """Share of frames that are padding when every utterance is padded to `max_frames`,
    or to the longest.
    """
    longest = max_frames or max(lengths, default=0)
    return 1 - sum(lengths) / (longest * len(lengths)) if longest and lengths else 0.0


def _produce(
    feature: str, config: Any, utterances: Sequence[Utterance]
) -> Iterator[Rows | Rejection]:
    for utterance in utterances:
        try:
            kept, lost = features(utterance, feature, config)
        except audio.AudioError as error:
            yield Rejection(utterance.utterance_id, "acoustic", error.reason, error.detail)
        else:
            yield Rows(utterance.utterance_id, kept, lost)
