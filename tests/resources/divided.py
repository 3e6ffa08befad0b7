"""A corpus to divide, and what a division made of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from pipeline import splits, tables
from pipeline.schema import SUBSETS, Utterance
from pipeline.splits import Split

EMOTIONS = {
    "angry": "angry",
    "happy": "happy",
    "excited": "happy",
    "sad": "sad",
    "neutral": "neutral",
}


KINDS = ("speaker", "session", "dialogue", "audio", "sentence")


def corpus(
    sessions: int = 5, per_speaker: int = 12, text: str = "sentence {}", **changes: Any
) -> list[Utterance]:
    """Two speakers a session, every raw label, two dialogues a session."""
    made = []
    for session in range(1, sessions + 1):
        for letter in "FM":
            for number in range(per_speaker):
                values = {
                    "utterance_id": f"Ses{session}{letter}_{number:03d}",
                    "corpus": "made",
                    "emotion": list(EMOTIONS)[number % len(EMOTIONS)],
                    "speaker": f"{session}{letter}",
                    "session": str(session),
                    "dialogue": f"{session}_{number % 2}",
                    "style": "scripted" if number % 2 else "improvised",
                    "transcript": text.format(number),
                    "words": tuple(text.format(number).split()),
                    "audio_sha256": f"{session}{letter}{number}",
                }
                made.append(Utterance(**(values | changes)))
    return made


def with_subsets(utterances: Sequence[Utterance], of_session: dict[str, str]) -> list[Utterance]:
    """The same utterances where the corpus states subsets, 'train' if none is given."""
    return [
        dataclasses.replace(item, subset=of_session.get(str(item.session), "train"))
        for item in utterances
    ]


def divided(protocol: str, utterances: Sequence[Utterance], **values: Any) -> Split:
    """What the settings under the name `protocol` in params.yaml give, by default with
    everything allowed.
    """
    settings = splits.settings(protocol, {"labels": EMOTIONS, "allow": list(KINDS)} | values)
    return splits.split(protocol, tables.utterance_table(utterances), settings)


def rows(result: Split) -> list[tuple[int, str, str, str]]:
    """(fold, subset, utterance_id, class) of everybody in each fold, sorted."""
    return sorted(
        (fold, SUBSETS[subset], name, emotion)
        for fold, subsets in enumerate(result.folds)
        for subset, name, emotion in zip(
            subsets.tolist(), result.utterance_ids, result.emotions, strict=True
        )
        if subset >= 0
    )


def subsets(result: Split, fold: int = 0) -> dict[str, set[str]]:
    """Utterance ids of one fold by subset."""
    found: dict[str, set[str]] = {"train": set(), "valid": set(), "test": set()}
    for number, subset, name, _ in rows(result):
        if number == fold:
            found[subset].add(name)
    return found


def folds_of(result: Split) -> list[int]:
    """The numbers of the folds, sorted."""
    return list(range(len(result.folds)))


def shared(utterances: Sequence[Utterance], field: str, one: set[str], other: set[str]) -> set[str]:
    """The values of a field that two sets of utterance ids have in common."""
    values = {item.utterance_id: getattr(item, field) for item in utterances}
    return {values[name] for name in one} & {values[name] for name in other}
