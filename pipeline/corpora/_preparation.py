"""What the prepare stage does with a reader's utterances: decode, hash, tokenise, flag
duplicates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from pipeline import audio, tokens
from pipeline.schema import Rejection, Utterance


def prepare_utterance(utterance: Utterance, config: tokens.Config) -> Utterance | Rejection:
    """Decodes the recording once and adds `words`, `audio_sha256` and `duration` (s).

    Rejected: audio that is missing, unreadable, truncated, empty or silent; no label;
    neither audio nor transcript. An empty transcript beside a recording stays: the
    stages that read words reject it.
    """

    def rejected(reason: str, detail: str = "") -> Rejection:
        return Rejection(utterance.utterance_id, "prepare", reason, detail)

    if not utterance.emotion.strip():
        return rejected("no label")
    transcript = (utterance.transcript or "").strip()
    if utterance.audio_path is None and not transcript:
        return rejected("no audio and no transcript")
    words = tokens.words(transcript, utterance.language, config) if transcript else ()
    if utterance.audio_path is None:
        return dataclasses.replace(utterance, words=words)
    try:
        waveform, rate = audio.read(utterance.audio_path, utterance.start, utterance.end)
    except audio.AudioError as error:
        return rejected(error.reason, error.detail)
    return dataclasses.replace(
        utterance,
        words=words,
        audio_sha256=audio.content_hash(waveform, rate),
        duration=len(waveform) / rate,
    )


def flag_duplicates(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Sorted by utterance_id; `duplicate_of` names the first utterance with the same
    samples, on all but that one.
    """
    first: dict[str, str] = {}
    flagged = []
    for utterance in sorted(utterances, key=lambda item: item.utterance_id):
        original = None
        if utterance.audio_sha256 is not None:
            original = first.setdefault(utterance.audio_sha256, utterance.utterance_id)
        duplicate_of = None if original == utterance.utterance_id else original
        flagged.append(dataclasses.replace(utterance, duplicate_of=duplicate_of))
    return flagged
