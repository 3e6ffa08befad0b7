"""Word times from files: TextGrid, CTM, IEMOCAP's .wdseg, CSV, JSON.

All readers give words in the order of time, silences and fillers left out; times in
seconds. What is not such a file raises ValueError, one that cannot be read OSError.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.schema import TimedWord

# How aligners write a word that their dictionary lacks, or that stood in brackets.
UNKNOWN = frozenset({"<unk>", "<oov>", "spn", "[bracketed]"})
SILENCE = frozenset({"", "<eps>", "<sil>", "<p:>", "<s>", "</s>", "sil", "sp", "#"})
WDSEG_FRAMES_PER_SECOND = 100


def read_textgrid(path: str | Path, speaker: str | None = None) -> list[TimedWord]:
    """Words of the tier 'words', or 'SPEAKER - words' where several speakers share a
    file; long or short form.

    Raises ValueError for a file that is no TextGrid or has no such tier.
    """
    values = iter(_textgrid_values(_text(path)))
    try:
        if (next(values), next(values)) != ("ooTextFile", "TextGrid"):
            raise ValueError(f"{path}: not a TextGrid, expected a Praat text file")
        next(values), next(values)
        tiers: dict[str, list[TimedWord]] = {}
        for _ in range(int(next(values))):
            kind, name, _start, _end, size = [next(values) for _ in range(5)]
            interval = kind == "IntervalTier"
            rows = [[next(values) for _ in range(3 if interval else 2)] for _ in range(int(size))]
            if interval:
                tiers[name] = [_timed(row[2].strip(), row[0], row[1]) for row in rows]
    except StopIteration:
        raise ValueError(f"{path}: ends early, expected a complete TextGrid") from None
    return _spoken(_tier(tiers, speaker, path))


def read_json(path: str | Path, speaker: str | None = None) -> list[TimedWord]:
    """Words of the tier 'words' or 'SPEAKER - words' of the JSON that MFA writes."""
    expected = f"{path}: expected {{tiers: {{words: {{entries: [[start, end, word]]}}}}}}"
    try:
        tiers = json.loads(_text(path))["tiers"]
        rows = {str(name): [tuple(row) for row in tiers[name]["entries"]] for name in tiers}
    except (KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"{expected} ({type(error).__name__})") from None
    if any(len(row) != 3 for found in rows.values() for row in found):
        raise ValueError(expected)
    entries = {
        name: [_timed(word, start, end) for start, end, word in found]
        for name, found in rows.items()
    }
    return _spoken(_tier(entries, speaker, path))


def read_ctm(path: str | Path) -> dict[str, list[TimedWord]]:
    """Words by utterance of a CTM file.

    Its lines are `utterance channel start duration word [confidence]`; `;;` begins a
    comment.
    """
    found: dict[str, list[TimedWord]] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        try:
            start = float(fields[2])
            confidence = _seconds(fields[5]) if len(fields) > 5 and fields[5] != "NA" else None
            word = _timed(fields[4], start, start + float(fields[3]), confidence)
        except (IndexError, ValueError):
            raise ValueError(
                f"{path}:{number}: {line!r}, expected `utterance channel start duration word`"
            ) from None
        found.setdefault(fields[0], []).append(word)
    return {utterance: _spoken(words) for utterance, words in found.items()}


def read_wdseg(path: str | Path) -> list[TimedWord]:
    """Words of one of IEMOCAP's .wdseg files: 10 ms frames, both ends included;
    pronunciation marks `(2)` taken off.
    """
    words = []
    for line in _text(path).splitlines():
        fields = line.split()
        if len(fields) < 4 or not fields[0].isdigit():
            continue  # the heading and the line with the total score
        word = re.sub(r"\(\d+\)$", "", fields[3])
        first, past = _seconds(int(fields[0])), _seconds(int(fields[1]) + 1)
        words.append(
            TimedWord(word, first / WDSEG_FRAMES_PER_SECOND, past / WDSEG_FRAMES_PER_SECOND)
        )
    if not words:
        raise ValueError(f"{path}: no segments, expected rows of SFrm EFrm SegAScr Word")
    return _spoken(words)


def read_csv(path: str | Path) -> dict[str, list[TimedWord]]:
    """Words by utterance of a CSV: columns utterance_id, word_index, word, start, end.

    Montreal Forced Aligner's own CSV names no utterance: its words stand under the
    file's stem.
    """
    try:
        reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True, restval="")
        columns, rows = set(reader.fieldnames or ()), list(reader)
    except csv.Error as error:
        raise ValueError(f"{path}: {error}") from None
    found: dict[str, list[tuple[int, TimedWord]]] = {}
    if {"Begin", "End", "Label", "Type"} <= columns:
        for number, row in enumerate(rows):
            if row["Type"] == "words":
                word = _timed(row["Label"], row["Begin"], row["End"])
                found.setdefault(Path(path).stem, []).append((number, word))
    elif {"utterance_id", "word_index", "word", "start", "end"} <= columns:
        for row in rows:
            # A word without a time stays out: the comparison with the transcript
            # then names it.
            if row["start"] and row["end"]:
                word = _timed(row["word"], row["start"], row["end"])
                found.setdefault(row["utterance_id"], []).append((int(row["word_index"]), word))
    else:
        raise ValueError(
            f"{path}: columns {sorted(map(str, columns))}, "
            "expected utterance_id, word_index, word, start, end"
        )
    return {
        name: _spoken(word for _, word in sorted(timed, key=lambda item: item[0]))
        for name, timed in found.items()
    }


def _timed(word: Any, start: Any, end: Any, confidence: float | None = None) -> TimedWord:
    if not isinstance(word, str):
        raise ValueError(f"{str(word)[:40]!r} is no word")
    return TimedWord(word, _seconds(start), _seconds(end), confidence)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise ValueError(f"{str(value)[:40]!r} is no time")
    return seconds


def _spoken(words: Iterable[TimedWord]) -> list[TimedWord]:
    kept = [item for item in words if item.word.lower() in UNKNOWN or not _is_filler(item.word)]
    return sorted(kept, key=lambda item: (item.start, item.end))


def _is_filler(word: str) -> bool:
    return word.lower() in SILENCE or word.startswith(("++", "["))


def _tier(
    tiers: dict[str, list[TimedWord]], speaker: str | None, path: str | Path
) -> list[TimedWord]:
    wanted = [name for name in tiers if name == "words"]
    wanted = wanted or [
        name for name in tiers if speaker is not None and name == f"{speaker} - words"
    ]
    wanted = wanted or [name for name in tiers if name.endswith(" - words")]
    if len(wanted) != 1:
        raise ValueError(
            f"{path}: tiers {sorted(tiers)}, expected 'words' or '{speaker or 'SPEAKER'} - words'"
        )
    return tiers[wanted[0]]


def _text(path: str | Path) -> str:
    data = Path(path).read_bytes()
    # Praat writes UTF-16 as soon as a label leaves Latin-1.
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def _textgrid_values(text: str) -> list[str]:
    """The values alone: the long form names each of them, the short form does not."""
    # Possessive: thousands of quotes would be tried in every combination.
    pattern = re.compile(
        r'"((?:[^"]|"")*+)"|\[\d*\]|(?<![\w.])([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?![\w.])'
    )
    values = []
    for match in pattern.finditer(text):
        if match.group(1) is not None:
            values.append(match.group(1).replace('""', '"'))
        elif match.group(2) is not None:
            values.append(match.group(2))
    return values
