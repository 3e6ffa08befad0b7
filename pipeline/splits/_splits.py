"""Who trains, who chooses the epoch, who tests: evaluation protocols and the leakage
audit.

Every protocol leaves an inner validation set in each training part. Where the test fold
has its own speakers, so has the validation set: it shares none with the test fold nor
with the training part. Where the corpus or the protocol does not allow that, it is made
of whole dialogues or sessions, and at last it is a stratified part. The audit says
which.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from pipeline.splits import _grouping as grouping
from pipeline.splits._protocol import Config, name_of

SUBSETS = ("train", "valid", "test")


class Row(NamedTuple):
    """One utterance's place in one fold; `emotion` is its class."""

    fold: int
    subset: str
    utterance_id: str
    emotion: str


@dataclass(frozen=True)
class Split:
    """Rows sorted by fold, subset and utterance; classes in order; who was left out;
    the leakage audit.
    """

    rows: list[Row]
    labels: list[str]
    rejections: list[Rejection]
    audit: dict[str, Any]


# What validation sets are made of, in the order of preference.
_UNITS = {"session": ("speaker", "session"), "grouped": ("dialogue",)}

Item = tuple[Utterance, str]  # an utterance and its class
Places = dict[str, str]  # utterance_id -> subset; a training part not yet divided has no "valid"


def split(protocol: str, utterances: Iterable[Utterance], config: Config) -> Split:
    """Folds of a corpus by a protocol name such as 'session' or 'speaker-five',
    whatever the order of the utterances.

    Raises ConfigurationError where the corpus cannot give the protocol: unknown
    speakers, fewer speakers than folds, a class that would be missing from a training
    part.
    """
    name = name_of(protocol)
    classes = list(dict.fromkeys(config.labels.values()))
    items, rejections = _select(
        sorted(utterances, key=lambda utterance: utterance.utterance_id), config, classes
    )
    plans, unknown = _plan(name, items, config, rejections)
    items = [item for item in items if any(item[0].utterance_id in plan for plan in plans)]

    rows, folds = [], {}
    for fold, plan in enumerate(plans):
        members = [item for item in items if item[0].utterance_id in plan]
        how = (
            "as given by the division"
            if name in ("ratio", "grouped")
            else "as given by the corpus or fold list"
        )
        if "valid" not in plan.values():
            how = _validate(members, plan, config, _UNITS.get(name, ("speaker", "dialogue")))
        for subset in ("train", "test"):
            absent = [
                c
                for c in classes
                if not any(e == c and plan[u.utterance_id] == subset for u, e in members)
            ]
            if absent and (subset == "train" or len(absent) == len(classes)):
                raise ConfigurationError(
                    f"{protocol}, fold {fold}: no {subset} utterance of {absent}, expected every class in training "
                    "and somebody to test; use fewer folds or another protocol"
                )
        folds[str(fold)] = _audit(members, plan, classes) | {"validation": how}
        rows += [Row(fold, plan[u.utterance_id], u.utterance_id, emotion) for u, emotion in members]
    rows.sort()
    counts = Counter(emotion for _, emotion in items)
    audit = {
        "protocol": name,
        "utterances": len(items) + len(rejections),
        "used": len(items),
        "rejected_by_reason": dict(
            sorted(Counter(rejection.reason for rejection in rejections).items())
        ),
        "classes": {label: counts[label] for label in classes},
        "unknown_in_fold_file": unknown,
        "verdict": _verdict(folds),
        "folds": folds,
    }
    return Split(
        rows, classes, sorted(rejections, key=lambda rejection: rejection.utterance_id), audit
    )


def _select(
    ordered: Sequence[Utterance], config: Config, classes: list[str]
) -> tuple[list[Item], list[Rejection]]:
    names = Counter(utterance.utterance_id for utterance in ordered)
    if len(names) != len(ordered):
        raise ConfigurationError(
            f"utterance {names.most_common(1)[0][0]!r} occurs twice, expected distinct utterance ids"
        )
    items: list[Item] = []
    rejections: list[Rejection] = []
    originals: dict[str, str] = {}
    # An original goes before its copies, so that a copy is never kept in its place.
    for utterance in sorted(ordered, key=lambda u: (u.duplicate_of is not None, u.utterance_id)):
        sound = utterance.audio_sha256 or utterance.duplicate_of or utterance.utterance_id
        if utterance.emotion not in config.labels:
            rejections.append(
                Rejection(
                    utterance.utterance_id, "split", "label outside the scheme", utterance.emotion
                )
            )
        elif config.styles is not None and utterance.style not in config.styles:
            rejections.append(
                Rejection(utterance.utterance_id, "split", "style filtered", str(utterance.style))
            )
        elif config.duplicates == "drop" and sound in originals:
            detail = f"same samples as {originals[sound]}"
            rejections.append(Rejection(utterance.utterance_id, "split", "duplicate audio", detail))
        else:
            originals[sound] = utterance.utterance_id
            items.append((utterance, config.labels[utterance.emotion]))
    absent = [label for label in classes if not any(emotion == label for _, emotion in items)]
    if absent or len(classes) < 2:
        found = dict(sorted(Counter(str(utterance.emotion) for utterance in ordered).items()))
        raise ConfigurationError(
            f"labels: no utterance left for {absent}, expected two classes or more with utterances; raw labels: {found}"
        )
    return sorted(items, key=lambda item: item[0].utterance_id), rejections


def _plan(
    name: str, items: list[Item], config: Config, rejections: list[Rejection]
) -> tuple[list[Places], int]:
    """Test membership of every fold, and how many names of a fold file the corpus does
    not have.
    """
    if config.test is not None and name not in ("session", "speaker"):
        raise ConfigurationError(
            f"test: not used by the protocol {name!r}, expected it with session or speaker only"
        )
    if (config.fold_file is None) != (name != "fold_file"):
        raise ConfigurationError(
            f"fold_file: {config.fold_file!r} with the protocol {name!r}, expected a path with fold_file only"
        )
    if name == "official":
        return [_official(items)], 0
    if name == "fold_file":
        return _from_file(Path(str(config.fold_file)), items, rejections)
    if name == "random":
        return _k_folds(_stratified(items, config.folds or 5, config.seed)), 0
    if name == "ratio" or (name == "grouped" and config.folds is None):
        shares = np.array(config.ratio)
        if (shares <= 0).any() or abs(shares.sum() - 1) > 1e-6:
            raise ConfigurationError(
                f"ratio: {list(config.ratio)}, expected three positive shares with the sum 1"
            )
        if name == "ratio":
            return [_stratified_division(items, config.ratio, config.seed)], 0
        chosen = grouping.balanced(_tallies(items, "dialogue", 3), shares, config.seed)
        return [{u.utterance_id: SUBSETS[chosen[str(u.dialogue)]] for u, _ in items}], 0
    key = "dialogue" if name == "grouped" else name
    groups = _tallies(items, key, max(2, config.folds or 2))
    if config.test is not None:
        unknown = sorted(set(config.test) - set(groups))
        if unknown or set(config.test) == set(groups) or not config.test:
            raise ConfigurationError(
                f"test: {config.test} with {key}s {sorted(groups)}, expected some of them, not all"
            )
        return [
            {
                u.utterance_id: "test" if getattr(u, key) in config.test else "train"
                for u, _ in items
            }
        ], 0
    count = config.folds or len(groups)
    if config.folds is None:
        place = {group: fold for fold, group in enumerate(sorted(groups))}
    else:
        place = grouping.balanced(groups, np.full(count, 1 / count), config.seed)
    return _k_folds({u.utterance_id: place[getattr(u, key)] for u, _ in items}), 0


def _k_folds(place: Mapping[str, int]) -> list[Places]:
    count = max(place.values()) + 1
    return [
        {name: "test" if own == fold else "train" for name, own in place.items()}
        for fold in range(count)
    ]


def _official(items: Sequence[Item]) -> Places:
    odd = sorted({str(utterance.subset) for utterance, _ in items} - set(SUBSETS))
    if odd:
        raise ConfigurationError(
            f"official: subsets {odd} in the corpus, expected a corpus that states {list(SUBSETS)}"
        )
    return {utterance.utterance_id: str(utterance.subset) for utterance, _ in items}


def _tallies(items: Sequence[Item], key: str, needed: int = 0) -> dict[str, Counter[str]]:
    """Utterances per class of each speaker, session or dialogue."""
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for utterance, emotion in items:
        group = getattr(utterance, key)
        if group is None:
            nameless = [other.utterance_id for other, _ in items if getattr(other, key) is None]
            raise ConfigurationError(
                f"{len(nameless)} utterances have no {key} (first: {nameless[0]}), expected a corpus that states "
                f"every utterance's {key} for this protocol"
            )
        tallies[group][emotion] += 1
    if len(tallies) < needed:
        raise ConfigurationError(
            f"{len(tallies)} {key}s for {needed} parts, expected at least as many {key}s"
        )
    return dict(tallies)


def _by_class(items: Sequence[Item], seed: object) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    for utterance, emotion in items:
        names[emotion].append(utterance.utterance_id)
    return {
        emotion: sorted(names[emotion], key=lambda name: grouping.rank(seed, name))
        for emotion in sorted(names)
    }


def _stratified(items: Sequence[Item], count: int, seed: int) -> dict[str, int]:
    place: dict[str, int] = {}
    dealt = 0
    for emotion, names in _by_class(items, seed).items():
        if len(names) < count:
            raise ConfigurationError(
                f"folds: {count} folds of {len(names)} {emotion!r} utterances, expected one in each fold"
            )
        for name in names:
            place[name] = (
                dealt % count
            )  # dealing goes on across classes: fold sizes differ by one at most
            dealt += 1
    return place


def _stratified_division(items: Sequence[Item], shares: Sequence[float], seed: int) -> Places:
    places: Places = {}
    for emotion, names in _by_class(items, seed).items():
        if len(names) < 3:
            raise ConfigurationError(
                f"ratio: {len(names)} utterances of {emotion!r}, expected at least one in each of {SUBSETS}"
            )
        test = max(1, round(shares[2] * len(names)))
        valid = min(max(1, round(shares[1] * len(names))), len(names) - test - 1)
        subsets = ["test"] * test + ["valid"] * valid + ["train"] * (len(names) - test - valid)
        places |= dict(zip(names, subsets, strict=True))
    return places


def _validate(items: Sequence[Item], plan: Places, config: Config, units: Sequence[str]) -> str:
    """Moves part of the training rows to 'valid', and says how.

    Validation is as far from training as the test fold is: where that shares speakers
    with the rest, a few speakers set apart would make another task of choosing the
    epoch.
    """
    rest = [item for item in items if plan[item[0].utterance_id] == "train"]
    for key in units:
        tested = {getattr(u, key) for u, _ in items if plan[u.utterance_id] == "test"}
        if None in tested or any(
            getattr(utterance, key) in tested | {None} for utterance, _ in rest
        ):
            continue
        # Where many choices are equally good, folds differ: no one speaker chooses the
        # epoch for all of them.
        salt = f"{config.seed} {sorted(tested)}"
        chosen = grouping.chosen(_tallies(rest, key), config.validation_share, salt)
        if chosen:
            plan.update((u.utterance_id, "valid") for u, _ in rest if getattr(u, key) in chosen)
            return f"whole {key}s, in neither training nor test"
    for emotion, names in _by_class(rest, f"{config.seed} validation").items():
        if len(names) < 2:
            raise ConfigurationError(
                f"{len(names)} {emotion!r} utterances to train on, expected one more for validation"
            )
        count = min(max(1, round(config.validation_share * len(names))), len(names) - 1)
        plan.update(dict.fromkeys(names[:count], "valid"))
    return "a stratified part, whoever speaks"


def _from_file(
    path: Path, items: Sequence[Item], rejections: list[Rejection]
) -> tuple[list[Places], int]:
    """A published fold list.

    CSV with the columns utterance_id and fold (the fold that tests the utterance), or
    with subset beside them (its place in that fold). JSON: {utterance_id: fold}, or a
    list of {"train": [...], "valid": [...], "test": [...]}.
    """
    entries = _entries(path)
    known = {utterance.utterance_id for utterance, _ in items}
    folds = sorted(
        {fold for fold, _, _ in entries}, key=lambda fold: (not fold.isdigit(), fold.zfill(9))
    )
    explicit = any(subset is not None for _, subset, _ in entries)
    plans: list[Places] = [{} for _ in folds]
    for fold, subset, name in entries:
        own = folds.index(fold)
        for index, plan in enumerate(plans):
            if name in known and (index == own or not explicit):
                place = subset or ("test" if index == own else "train")
                if plan.setdefault(name, place) != place or (
                    not explicit and index == own and place != "test"
                ):
                    raise ConfigurationError(
                        f"{path}: {name} stands twice in fold {fold}, expected one subset each"
                    )
    listed = {name for _, _, name in entries}
    for name in sorted(known - listed):
        rejections.append(Rejection(name, "split", "not in the fold list", path.name))
    if not any("test" in plan.values() and "train" in plan.values() for plan in plans):
        raise ConfigurationError(
            f"{path}: no fold with training and test utterances of this corpus, expected its utterance ids"
        )
    return plans, len(listed - known)


def _entries(path: Path) -> list[tuple[str, str | None, str]]:
    """(fold, subset or None, utterance_id) of a fold list."""
    expected = "expected CSV: utterance_id, fold and perhaps subset; or JSON: {utterance_id: fold} or [{subset: [ids]}]"
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                table = list(csv.DictReader(file))
            entries = [
                (row["fold"].strip(), row.get("subset"), row["utterance_id"].strip())
                for row in table
            ]
        else:
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                entries = [(str(int(fold)), None, name) for name, fold in content.items()]
            else:
                lists = [
                    (str(fold), *pair)
                    for fold, parts in enumerate(content)
                    for pair in parts.items()
                ]
                entries = [
                    (fold, subset, str(name)) for fold, subset, names in lists for name in names
                ]
    except (
        OSError,
        UnicodeDecodeError,
        json.JSONDecodeError,
        KeyError,
        AttributeError,
        TypeError,
        ValueError,
    ) as error:
        raise ConfigurationError(
            f"fold_file {path}: {type(error).__name__} {error}, {expected}"
        ) from None
    stated = {subset for _, subset, _ in entries}
    if not entries or (stated != {None} and not stated <= set(SUBSETS)):
        raise ConfigurationError(
            f"fold_file {path}: subsets {sorted(map(str, stated))}, {expected}, subsets {SUBSETS}"
        )
    return entries


def _audit(items: Sequence[Item], plan: Places, classes: Sequence[str]) -> dict[str, Any]:
    """Counts per subset and class, and what two subsets have in common; nested dicts
    only, for DVC drops lists.
    """
    parts = {
        subset: [item for item in items if plan[item[0].utterance_id] == subset]
        for subset in SUBSETS
    }
    report: dict[str, Any] = {}
    for subset, members in parts.items():
        tally = Counter(emotion for _, emotion in members)
        report[subset] = {
            "utterances": len(members),
            "classes": {label: tally[label] for label in classes},
        }
        speakers = {utterance.speaker for utterance, _ in members} - {None}
        report[subset]["speakers"] = len(speakers)
    keys: dict[str, Callable[[Utterance], Any]] = {
        "speakers": lambda utterance: utterance.speaker,
        "dialogues": lambda utterance: utterance.dialogue,
        "duplicate_audio": lambda utterance: (
            utterance.audio_sha256 or utterance.duplicate_of or utterance.utterance_id
        ),
        "transcripts": lambda utterance: (
            " ".join(utterance.words).casefold() or utterance.transcript
        ),
    }
    for name, key in keys.items():
        shared = report[f"{name}_shared"] = {}
        for left, right in (("train", "test"), ("valid", "test"), ("train", "valid")):
            values = {key(utterance) for utterance, _ in parts[left]} & {
                key(utterance) for utterance, _ in parts[right]
            }
            values -= {None, ""}
            touched = sum(key(utterance) in values for utterance, _ in parts[right])
            share = touched / len(parts[right]) if parts[right] else 0.0
            shared[f"{left}_{right}"] = {
                "count": len(values),
                "utterances": touched,
                "share": round(share, 4),
            }
    report["speakers_known"] = all(utterance.speaker is not None for utterance, _ in items)
    return report


def _verdict(folds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The worst fold of each kind of leakage into the test fold, in utterances of the
    test fold.
    """
    verdict: dict[str, Any] = {}
    for name in ("speakers", "dialogues", "duplicate_audio", "transcripts"):
        for pair in ("train_test", "valid_test", "train_valid"):
            verdict[f"{name}_{pair}"] = max(
                fold[f"{name}_shared"][pair]["utterances"] for fold in folds.values()
            )
    verdict["speakers_known"] = all(fold["speakers_known"] for fold in folds.values())
    verdict["speaker_independent"] = (
        verdict["speakers_known"] and verdict["speakers_train_test"] == 0
    )
    return verdict
