"""What prepare does with an utterance that a corpus's reader found."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline import audio, tables, tokens
from pipeline.corpora._fingerprint import fingerprint
from pipeline.corpora._recordings import MADE, SOURCE, Former, Known, Read
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance


def prepare_all(
    utterances: Sequence[Utterance], corpus: str, config: tokens.Config, known: Known | None = None
) -> list[Utterance | Rejection]:
    """`prepare_utterance` of each."""
    return [prepare_utterance(utterance, config, corpus, known) for utterance in utterances]


def prepare_utterance(
    utterance: Utterance,
    config: tokens.Config,
    corpus: str | None = None,
    known: Known | None = None,
) -> Utterance | Rejection:
    """Decodes the recording once and adds `words`, `audio_sha256`, `duration` (s) and
    `fingerprint`.

    `corpus` is its name in params.yaml, where its reader has another one for it. What
    is `known` is not worked out again.
    Rejected are utterances without a label, without both audio and transcript, and with
    audio that `audio.read` cannot use. One with audio and no transcript is kept; the
    stages that read words reject it.
    """

    def rejected(reason: str, detail: str = "") -> Rejection:
        return Rejection(utterance.utterance_id, "prepare", reason, detail)

    if not utterance.emotion.strip():
        return rejected("no label")
    transcript = (utterance.transcript or "").strip()
    if utterance.audio_path is None and not transcript:
        return rejected("no audio and no transcript")
    known = known or Known()
    words = known.words.get((transcript, utterance.language)) if transcript else ()
    try:
        if words is None:
            words = tokens.words(transcript, utterance.language, config)
    except tokens.LanguageError as error:
        return rejected("unsupported language", str(error))
    corpus = corpus or utterance.corpus
    if utterance.audio_path is None:
        return dataclasses.replace(utterance, corpus=corpus, words=words)
    segment = utterance.audio_path, utterance.start, utterance.end
    made = known.decoded.get(segment)
    if made is None:
        try:
            waveform, rate = audio.read(*segment)
        except audio.AudioError as error:
            return rejected(error.reason, error.detail)
        duration = len(waveform) / rate
        made = audio.content_hash(waveform, rate), duration, fingerprint(waveform, rate)
    values: dict[str, Any] = dict(zip(MADE, made, strict=True))
    return dataclasses.replace(utterance, corpus=corpus, words=words, **values)


def together(former: Former, read: Read, made: Sequence[Utterance]) -> Any:
    """A table of the former rows that were taken over and of those made now, with their
    `SOURCE`, sorted by id: as if all had been made at once.
    """
    import pyarrow as pa

    new = tables.utterance_table(made)
    sources = pa.array([read.sources.get(item.utterance_id) for item in made], pa.string())
    kept = former.rows.take(pa.array(read.taken, pa.int64()))
    parts = [kept, new.append_column(SOURCE, sources)]
    table = pa.concat_tables(parts, promote_options="default")
    # A column that only some corpora have, of values that no row has any more.
    optional = [name for name in table.column_names if name.startswith(tables.RATING_PREFIX)]
    optional = sorted(optional) + [name for name in tables.RECOGNISED if name in table.column_names]
    last = [name for name in optional if table[name].null_count < len(table)]
    first = [name for name in new.column_names if name not in optional]
    return table.select([*first, *last, SOURCE]).combine_chunks().sort_by("utterance_id")


def flag_duplicates(table: Any) -> Any:
    """A table of utterances, sorted by id, with `duplicate_of` set to the first one
    that has the same samples.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    found = table["audio_sha256"].combine_chunks().dictionary_encode().indices
    # Numbered in the order in which they come, those without a hash by no number.
    numbers = found.fill_null(-1).to_numpy()
    values, rows = np.unique(numbers, return_index=True)
    first = np.arange(len(table))
    first[numbers >= 0] = rows[np.searchsorted(values, numbers[numbers >= 0])]
    names = table["utterance_id"].take(pa.array(first))
    duplicate_of = pc.if_else(pa.array(first == np.arange(len(table))), None, names)
    place = table.column_names.index("duplicate_of")
    return table.set_column(place, "duplicate_of", duplicate_of.cast(pa.string()))


def require_usable(corpus: str, used: int, rejections: Sequence[Rejection]) -> None:
    """Raises ConfigurationError with the reasons counted where no utterance is left."""
    if used:
        return
    where = f"no utterance of corpora.{corpus} can be used"
    if not rejections:
        raise ConfigurationError(f"{where}: its reader found none, check corpora.{corpus}.root")
    reasons = Counter(item.reason for item in rejections).most_common()
    counted = ", ".join(f"{number} × {reason}" for reason, number in reasons)
    first = next(item for item in rejections if item.reason == reasons[0][0])
    raise ConfigurationError(
        f"{where}: {counted} (for example {first.utterance_id}: {first.detail or first.reason})"
    )
