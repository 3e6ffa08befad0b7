"""What a chain of aligners did with a corpus, counted from the placements as they are
written down: most of them are taken over, and need not become objects.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import tables
from pipeline.alignment import _check as alignment_check
from pipeline.alignment._chain import IMPLAUSIBLE
from pipeline.schema import Rejection

BATCH = 1 << 14  # placements that are decoded at a time


@dataclass
class Tally:
    """What one aligner did: utterances tried and placed, failures by reason.

    implausible: how many of the utterances `checked` cannot be right. distances:
    `alignment_check.edges` of each that was checked.
    """

    tried: int = 0
    placed: int = 0
    checked: int = 0
    implausible: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    distances: list[tuple[float, float]] = field(default_factory=list)

    def check(self) -> dict[str, Any]:
        """The summary of the check over the utterances."""
        return alignment_check.summary(self.distances, self.implausible, self.checked)


@dataclass
class Account:
    """What the aligners did, by name in the order of the chain; the utterances that
    none of them placed; a table of the spans of the others, by utterance and word; how
    many were placed, and how many of these not by the first aligner; and the sum and
    number of the confidences that aligners state.
    """

    tallies: dict[str, Tally]
    rejections: list[Rejection]
    spans: Any
    placed: int = 0
    fallbacks: int = 0
    confidences: list[float] = field(default_factory=list)

    def metrics(self) -> dict[str, Any]:
        """For metrics.json: coverage; per aligner tried, placed, failures by reason and
        the summary of the check.
        """
        total = self.placed + len(self.rejections)
        result: dict[str, Any] = {
            "utterances": total,
            "placed": self.placed,
            "coverage": round(self.placed / total, 6) if total else 0.0,
            "fallbacks": self.fallbacks,
        }
        if self.confidences:
            mean = sum(self.confidences) / len(self.confidences)
            result["mean_confidence"] = round(mean, 4)
        result["aligners"] = {
            name: {
                "tried": tally.tried,
                "placed": tally.placed,
                "failures": dict(sorted(tally.failures.items())),
                "check": tally.check(),
            }
            for name, tally in self.tallies.items()
        }
        return result


def account(texts: Mapping[str, str], words: Mapping[str, Sequence[str]]) -> Account:
    """Counts placements, as `_kept.Row` has them in words, by utterance_id; `words` are
    those of each utterance.
    """
    import pyarrow as pa

    found: dict[str, Tally] = {}
    order: Sequence[str] = ()
    made = Account({}, [], None)
    parts = [tables.span_table([])]
    for names, plain in _decoded(texts):
        columns: list[list[Any]] = [[], [], [], [], [], [], []]
        for name, item in zip(names, plain, strict=True):
            answers = item["answers"]
            for aligner, reason, _, checked, edges in answers:
                tally = found.get(aligner) or found.setdefault(aligner, Tally())
                tally.tried += 1
                tally.checked += checked
                if edges is not None:
                    tally.distances.append((edges[0], edges[1]))
                if reason:
                    tally.failures[reason] += 1
                    tally.implausible += reason == IMPLAUSIBLE
                else:
                    tally.placed += 1
            if len(answers) > len(order):
                order = [said[0] for said in answers]
            if "error" in item:
                made.rejections.append(Rejection(name, "align", *item["error"]))
                continue
            made.placed += 1
            made.fallbacks += len(answers) > 1
            spans = item["spans"]
            columns[0] += [name] * len(spans)
            columns[1] += range(len(spans))
            columns[2] += words[name]
            for column, values in zip(columns[3:], zip(*spans, strict=True), strict=True):
                column += values
        made.confidences += [value for value in columns[5] if value is not None]
        kinds = parts[0].schema
        arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds.types, strict=True)]
        parts.append(pa.Table.from_arrays(arrays, schema=kinds))
    made.tallies |= {name: found[name] for name in order}
    made.spans = pa.concat_tables(parts).combine_chunks()
    return made


def _decoded(texts: Mapping[str, str]) -> Iterator[tuple[list[str], list[Any]]]:
    names = list(texts)
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        yield part, json.loads(f"[{','.join(texts[name] for name in part)}]")
