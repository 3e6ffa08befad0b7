"""Features and word times of a single recording, as tables with names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline import acoustic, alignment, lookup, tokens
from pipeline.lookup import ConfigurationError
from pipeline.schema import Utterance

if TYPE_CHECKING:
    import pandas as pd

ENGLISH = "en"


def features(recording: Path, feature: str, settings: Mapping[str, Any]) -> "pd.DataFrame":
    """The frames of a recording: a row for each, by the time of its centre in seconds
    (`time`), a column for each value.

    feature: a module of acoustic/, e.g. 'short_term'; settings: those of its section in
    params.yaml, its defaults where they are not stated. Raises AudioError when the
    recording cannot be used, ConfigurationError for unknown names and settings.
    """
    import pandas as pd

    config = acoustic.settings(feature, dict(settings))
    module = lookup.component("acoustic", feature)
    frames, _ = acoustic.features(_utterance(recording), feature, config)
    timing = module.timing(config)
    times = timing.first_center + timing.frame_shift * pd.RangeIndex(len(frames)).to_numpy()
    return pd.DataFrame(frames, pd.Index(times, name="time"), list(module.feature_names(config)))


def align(
    recording: Path, text: str, language: str, chain: Mapping[str, Mapping[str, Any] | None]
) -> "pd.DataFrame":
    """Where the words of a text lie in a recording: a row for each, with `word`,
    `start` and `end` in seconds, `confidence` and `aligner`.

    chain: aligners and their settings, as under `alignment` in params.yaml. Raises
    AlignmentError when none of them places the words, AudioError when the recording
    cannot be used, ConfigurationError for a text without words.
    """
    import pandas as pd

    words = tokens.words(text, language, tokens.Config())
    if not words:
        raise ConfigurationError(f"no words in {lookup.shown(text)}: state what is said")
    stated = alignment.settings("one recording", {"chain": dict(chain)})
    utterance = _utterance(recording, text, words, language)
    placed = alignment.place(utterance, stated.chain, stated.check)
    columns = ("word", "start", "end", "confidence", "aligner")
    rows = [[getattr(span, name) for name in columns] for span in placed]
    return pd.DataFrame(rows, columns=columns)


def settings(written: Sequence[str]) -> dict[str, Any]:
    """Settings from 'key=value', the values as in YAML."""
    found = {}
    for item in written:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise ConfigurationError(f"{item!r}, expected key=value, e.g. frame_length=0.05")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigurationError(f"{item!r}: {value!r} is no value") from None
    return found


def _utterance(
    recording: Path, text: str | None = None, words: tuple[str, ...] = (), language: str = ENGLISH
) -> Utterance:
    return Utterance(
        "recording",
        "",
        "",
        audio_path=str(recording),
        transcript=text,
        words=tuple(words),
        language=language,
    )
