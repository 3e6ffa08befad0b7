"""Published counts of a corpus, and which of them a tree on disk misses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.schema import Rejection, Utterance


@dataclass(frozen=True)
class Count:
    """A published number of utterances whose fields take one of the values in `where`;
    {} counts all of them.
    """

    name: str
    expected: int
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Totals:
    """Published counts of a corpus; it is complete when the field `part` takes all of
    the values `parts`.
    """

    part: str
    parts: tuple[str, ...]
    counts: tuple[Count, ...]


def per_value(field_name: str, counts: Mapping[str, int]) -> tuple[Count, ...]:
    """One count for each value of a field, e.g. the utterances of each emotion."""
    return tuple(
        Count(f"{field_name} {value}", number, {field_name: (value,)})
        for value, number in counts.items()
    )


def missing_parts(totals: Totals, utterances: Iterable[Utterance]) -> list[str]:
    """The sessions, speakers or subsets of the published corpus that are not there at
    all.
    """
    present = {getattr(utterance, totals.part) for utterance in utterances}
    return [part for part in totals.parts if part not in present]


def differences(
    totals: Totals,
    utterances: Sequence[Utterance],
    rejections: Sequence[Rejection] = (),
    tolerance: int = 0,
) -> list[str]:
    """One line for each published count that is off.

    A partial tree is held only to the counts of the parts that it has. Utterances that
    were found and rejected have no label any more: the line names their number, so that
    nobody looks for lost files. Up to `tolerance` utterances may be missing from a
    count.
    """
    missing = set(missing_parts(totals, utterances))
    lines = []
    for count in totals.counts:
        own_parts = count.where.get(totals.part, totals.parts)
        if missing.intersection(own_parts):
            continue
        number = sum(
            all(getattr(utterance, name) in values for name, values in count.where.items())
            for utterance in utterances
        )
        if not 0 <= count.expected - number <= tolerance:
            rejected = f" ({len(rejections)} rejected in the whole corpus)" if rejections else ""
            lines.append(f"{count.name}: {number}{rejected}, expected {count.expected}")
    return lines
