"""What prepare does with an utterance that a corpus's reader found."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline import audio, tokens
from pipeline.corpora._recordings import Known
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
    """Decodes the recording once and adds `words`, `audio_sha256` and `duration` (s).

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
        made = audio.content_hash(waveform, rate), len(waveform) / rate
    sha256, duration = made
    return dataclasses.replace(
        utterance, corpus=corpus, words=words, audio_sha256=sha256, duration=duration
    )


def flag_duplicates(utterances: Iterable[Utterance]) -> list[Utterance]:
    """The utterances sorted by id, with `duplicate_of` set to the first one that has
    the same samples.
    """
    first: dict[str, str] = {}
    flagged = []
    for utterance in sorted(utterances, key=lambda item: item.utterance_id):
        original = None
        if utterance.audio_sha256 is not None:
            original = first.setdefault(utterance.audio_sha256, utterance.utterance_id)
        duplicate_of = None if original == utterance.utterance_id else original
        if duplicate_of != utterance.duplicate_of:
            utterance = dataclasses.replace(utterance, duplicate_of=duplicate_of)
        flagged.append(utterance)
    return flagged


def require_usable(corpus: str, used: Sequence[Utterance], rejections: Sequence[Rejection]) -> None:
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
