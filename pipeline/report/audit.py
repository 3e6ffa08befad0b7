"""The leakage audit of a split as sentences a reader can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["good", "warn", "bad", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One line of the verdict."""

    state: State
    text: str


def findings(audit: Mapping[str, Any]) -> list[Finding]:
    """What the split stage's metrics.json says of speakers, sound, sentences and validation; the worst fold counts."""
    if "verdict" not in audit:
        return [Finding("unknown", "no audit here, expected the split stage's metrics.json")]
    verdict, folds = audit["verdict"], audit["folds"]
    found = [_speakers(verdict)]
    copies = verdict["duplicate_audio_train_test"] + verdict["duplicate_audio_valid_test"]
    if copies:
        found.append(Finding("bad", f"{copies} test recordings are also in training or validation, sample for sample"))
    else:
        found.append(Finding("good", "No recording stands on both sides."))
    share = max(fold["transcripts_shared"]["train_test"]["share"] for fold in folds.values())
    if share:
        text = f"Up to {100 * share:.0f} % of a test fold's sentences are spoken in training too: words alone can tell."
        found.append(Finding("warn", text))
    else:
        found.append(Finding("good", "No test sentence is spoken in training."))
    ways = list(dict.fromkeys(fold["validation"] for fold in folds.values()))
    sizes = [fold["valid"]["utterances"] for fold in folds.values()]
    size = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    whole = all(way.startswith("whole") for way in ways)
    found.append(Finding("good" if whole else "warn", f"The epoch is chosen on {size} utterances: {'; '.join(ways)}."))
    absent = {
        subset: sorted({name for fold in folds.values() for name, n in fold[subset]["classes"].items() if n == 0})
        for subset in ("valid", "test")
    }
    found += [
        Finding("warn", f"A {subset} part has nobody who is {', '.join(names)}.")
        for subset, names in absent.items()
        if names
    ]
    return found


def badge(audit: Mapping[str, Any]) -> Finding:
    """The verdict on speakers in two words."""
    if "verdict" not in audit or not audit["verdict"]["speakers_known"]:
        return Finding("unknown", "speakers unknown")
    if audit["verdict"]["speaker_independent"]:
        return Finding("good", "other speakers")
    return Finding("warn", "same speakers")


def _speakers(verdict: Mapping[str, Any]) -> Finding:
    if not verdict["speakers_known"]:
        return Finding("unknown", "The corpus does not name its speakers: whether training heard them is not known.")
    if verdict["speaker_independent"]:
        return Finding("good", "No speaker of a test fold is heard in its training.")
    number = verdict["speakers_train_test"]
    return Finding("warn", f"Training has heard the test speakers (up to {number} test utterances in a fold).")
