"""What the split and align stages measured, as sentences that a reader can act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["good", "warn", "bad", "unknown"]
# What a split may allow, as a reader is told it.
KINDS = {
    "speaker": "speaker",
    "session": "session",
    "dialogue": "dialogue",
    "audio": "recording",
    "sentence": "sentence",
}


@dataclass(frozen=True)
class Finding:
    """One sentence, and whether it is good news."""

    state: State
    text: str


def findings(audit: Mapping[str, Any]) -> list[Finding]:
    """What the split stage's metrics.json says of speakers, recordings, sentences and
    validation; the worst fold counts.
    """
    if "verdict" not in audit:
        text = "The metrics.json of the split is not here: `dvc repro` or `dvc pull` brings it."
        return [Finding("unknown", text)]
    if "allowed" not in audit:
        text = "The metrics.json of the split is of an older version: `dvc repro` makes it anew."
        return [Finding("unknown", text)]
    verdict, folds = audit["verdict"], audit["folds"]
    found = [_speakers(verdict)]
    for kind in ("session", "dialogue"):
        if number := _in_common(verdict, kind):
            text = f"Training has heard the test's {kind}s (up to {number} test utterances a fold)."
            found.append(Finding("warn", text))
    if copies := _in_common(verdict, "recording"):
        text = f"{copies} test recordings are also in training or validation, or nearly the same."
        found.append(Finding("bad", text))
    else:
        found.append(
            Finding(
                "good", "No test recording is in training or validation too, nor nearly the same."
            )
        )
    share = max(
        fold["sentences_shared"][pair]["share"]
        for fold in folds.values()
        for pair in ("train_test", "valid_test")
    )
    if share:
        text = (
            f"Up to {100 * share:.0f} % of a test fold's utterances say what training or validation"
            " says, word for word or but for a word: a system that reads words can know them."
        )
        found.append(Finding("warn", text))
    else:
        found.append(Finding("good", "No test sentence of four words or more is heard before."))
    if text := declared(audit):
        found.append(Finding("warn", f"Declared in params.yaml: test and training {text}."))
    found.append(_validation(folds))
    for subset, part in (("valid", "validation"), ("test", "test")):
        if not any(fold[subset]["utterances"] for fold in folds.values()):
            continue
        absent = {
            name
            for fold in folds.values()
            for name, count in fold[subset]["classes"].items()
            if count == 0
        }
        if absent:
            text = f"A fold has no {part} utterance that is {' or '.join(sorted(absent))}."
            found.append(Finding("warn", text))
    return found


def alignment(metrics: Mapping[str, Any]) -> list[Finding]:
    """What the align stage's metrics.json says: who placed how many utterances, checked
    against the audio and the true word times; [] without it.
    """
    if "aligners" not in metrics:
        return []
    text = f"{metrics['placed']} of {metrics['utterances']} utterances have word times."
    found = [Finding("good" if metrics.get("coverage", 0.0) >= 0.98 else "warn", text)]
    for name, aligner in metrics["aligners"].items():
        failures = "; ".join(
            f"{count} × {reason}" for reason, count in aligner.get("failures", {}).items()
        )
        text = f"{name} placed {aligner['placed']} of {aligner['tried']}"
        text += f" ({failures})." if failures else "."
        found.append(Finding("good" if aligner["placed"] == aligner["tried"] else "warn", text))
        check = aligner.get("check", {})
        if "first_start_median_s" in check:
            text = (
                "Against the audio: first words start "
                f"{1000 * check['first_start_median_s']:.0f} ms (median) from the voice's onset, "
                f"{100 * check['first_start_within_100ms']:.0f} % within 100 ms; "
                f"{check['failed']} utterances cannot be right."
            )
            found.append(Finding("good" if check["share_failed"] <= 0.05 else "bad", text))
    truth = metrics.get("against_given", {})
    if truth.get("n"):
        text = (
            f"Against the true word times: starts are {truth['median_ms']:.0f} ms off (median), "
            f"{100 * truth['within_50ms']:.0f} % within 50 ms, over {truth['n']} words."
        )
        found.append(Finding("good" if truth["within_50ms"] >= 0.9 else "warn", text))
    return found


def badge(audit: Mapping[str, Any]) -> Finding:
    """The verdict on speakers in two words."""
    if "verdict" not in audit or not audit["verdict"]["speakers_known"]:
        return Finding("unknown", "speakers unknown")
    if audit["verdict"]["speaker_independent"]:
        return Finding("good", "speaker-independent")
    return Finding("warn", "speaker-dependent")


def declared(audit: Mapping[str, Any]) -> str:
    """What training and test have in common because the split allows it: 'share
    speakers and sentences', '' for nothing.

    It stands on whatever shows a score of the split.
    """
    names = [
        f"{KINDS[kind]}s"
        for kind, allowed in audit.get("allowed", {}).items()
        if allowed and _in_common(audit["verdict"], KINDS[kind])
    ]
    if not names:
        return ""
    return f"share {' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))}"


def _in_common(verdict: Mapping[str, Any], noun: str) -> int:
    """Utterances of the worst fold's test that training or validation has too."""
    return max(int(verdict[f"{noun}s_{pair}"]) for pair in ("train_test", "valid_test"))


def _validation(folds: Mapping[str, Any]) -> Finding:
    ways = list(dict.fromkeys(fold["validation"] for fold in folds.values()))
    sizes = [fold["valid"]["utterances"] for fold in folds.values()]
    if not any(sizes):
        return Finding("warn", "No validation: nothing chose the epoch, the last one counts.")
    size = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    text = f"The epoch is chosen on {size} utterances: {'; '.join(ways)}."
    whole = all(way.startswith("whole") for way in ways)
    return Finding("good" if whole else "warn", text)


def _speakers(verdict: Mapping[str, Any]) -> Finding:
    if not verdict["speakers_known"]:
        text = "The corpus names no speakers: whether training heard them is not known."
        return Finding("unknown", text)
    if verdict["speaker_independent"]:
        return Finding("good", "No speaker of a test fold is heard in its training.")
    number = verdict["speakers_train_test"]
    text = f"Training has heard the test speakers (up to {number} test utterances in a fold)."
    return Finding("warn", text)
