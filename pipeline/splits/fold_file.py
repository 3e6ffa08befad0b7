"""A published fold list.

CSV with the columns utterance_id and fold (the fold that tests the utterance), or with
subset beside them (its place in that fold). JSON: {utterance_id: fold}, or a list of
{"train": [...], "valid": [...], "test": [...]}.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import Rejection
from pipeline.splits._groups import k_folds
from pipeline.splits._protocol import OUT, SUBSETS, TEST, TRAIN, Division, Items, Subsets, Validated
from pipeline.splits._validation import with_validation

MOST_FOLDS = 1000
FORMS = (
    "expected CSV: utterance_id, fold and perhaps subset; "
    "or JSON: {utterance_id: fold} or [{subset: [ids]}]"
)


@checked
class Config(Validated):
    """`fold_file`: path of the list; `validation_share` counts in folds where it states
    no validation set.
    """

    fold_file: str


class Entry(NamedTuple):
    """A line of the list; without a subset, `fold` is the one that tests it."""

    fold: str
    subset: str | None
    utterance_id: str


def divide(items: Items, config: Config) -> Division:
    """The list's folds; utterances that it does not name are rejected."""
    path = Path(config.fold_file)
    entries = _read(path)
    place = {name: index for index, name in enumerate(items.ids)}
    divided = _divided(path, entries, place)
    if not any((subsets == TRAIN).any() and (subsets == TEST).any() for subsets in divided):
        raise ConfigurationError(
            f"fold_file {path}: no fold has training and test utterances of this corpus, "
            "it must name them by their utterance ids"
        )
    listed = {entry.utterance_id for entry in entries}
    rejections = [
        Rejection(name, "split", "not in the fold list", path.name)
        for name in sorted(place.keys() - listed)
    ]
    folds = with_validation(items, divided, config)
    return Division(folds, rejections, len(listed - place.keys()))


def _divided(path: Path, entries: Sequence[Entry], place: Mapping[str, int]) -> list[Subsets]:
    """The subsets of each fold; `place` gives the items' positions."""
    found = {entry.fold for entry in entries}
    order = sorted(found, key=lambda fold: (not fold.isdigit(), fold.zfill(9)))
    number = {fold: index for index, fold in enumerate(order)}
    own = np.full(len(place), -1)
    stated = [np.full(len(place), OUT, dtype=np.int8) for _ in order]
    for fold, subset, name in entries:
        if name not in place:
            continue
        index = place[name]
        if subset is None:
            twice = own[index] not in (-1, number[fold])
            own[index] = number[fold]
        else:
            code = SUBSETS.index(subset)
            twice = stated[number[fold]][index] not in (OUT, code)
            stated[number[fold]][index] = code
        if twice:
            raise ConfigurationError(
                f"fold_file {path}: {name} stands twice in fold {fold}, it can be in one subset"
            )
    return list(k_folds(own, len(order))) if entries[0].subset is None else stated


def _read(path: Path) -> list[Entry]:
    """The lines of a list, either all with a subset or all without."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        entries = _of_csv(text) if path.suffix.lower() == ".csv" else _of_json(json.loads(text))
    except OSError as error:
        raise ConfigurationError(
            f"fold_file {path} cannot be read ({error.strerror}): {FORMS}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"fold_file {path} is not in UTF-8: save it in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"fold_file {path} is no JSON (line {error.lineno}: {error.msg}): {FORMS}"
        ) from None
    except RecursionError:
        raise ConfigurationError(f"fold_file {path} is nested too deeply: {FORMS}") from None
    except (ValueError, csv.Error) as error:
        raise ConfigurationError(f"fold_file {path}: {error}, {FORMS}") from None
    if not entries:
        raise ConfigurationError(f"fold_file {path} names no utterance: {FORMS}")
    stated = {entry.subset for entry in entries}
    if stated != {None} and not stated <= set(SUBSETS):
        raise ConfigurationError(
            f"fold_file {path}: subsets {sorted(map(str, stated))}, {FORMS}, subsets {SUBSETS}"
        )
    folds = len({entry.fold for entry in entries})
    if folds > MOST_FOLDS:
        raise ConfigurationError(
            f"fold_file {path}: {folds} folds, expected at most {MOST_FOLDS}: the column fold has "
            "the number of the fold, not of the utterance"
        )
    return entries


def _is_number(fold: Any) -> bool:
    return type(fold) is int or (isinstance(fold, str) and fold.isascii() and fold.isdigit())


def _of_csv(text: str) -> list[Entry]:
    """The lines of a CSV list; ValueError where one lacks a cell."""
    table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if missing := [
        name for name in ("utterance_id", "fold") if name not in (table.fieldnames or ())
    ]:
        raise ValueError(f"it has no column {missing[0]}")
    entries = []
    for row in table:
        if not row["fold"] or not row["utterance_id"]:
            raise ValueError(f"line {table.line_num} lacks a fold or an utterance_id")
        entries.append(Entry(row["fold"].strip(), row.get("subset"), row["utterance_id"].strip()))
    return entries


def _of_json(content: Any) -> list[Entry]:
    """The lines of a JSON list; ValueError where a value is of another kind."""
    if isinstance(content, dict):
        wrong = [fold for fold in content.values() if not _is_number(fold)]
        if wrong:
            raise ValueError(f"{str(wrong[0])[:40]!r} is no number of a fold")
        return [Entry(str(fold), None, name) for name, fold in content.items()]
    if not isinstance(content, list):
        raise ValueError(f"it holds {type(content).__name__}")
    entries = []
    for fold, parts in enumerate(content):
        if not isinstance(parts, dict):
            raise ValueError(f"fold {fold} holds {type(parts).__name__}")
        for subset, names in parts.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"{subset!r} of fold {fold} is no list of utterance ids")
            entries += [Entry(str(fold), subset, name) for name in names]
    return entries
