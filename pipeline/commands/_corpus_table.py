"""The result of a corpus check as a table for a terminal."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.commands._corpus_findings import Finding
from pipeline.commands.corpus_check import CorpusCheck


def table(result: CorpusCheck, examples: int = 3, longest: int = 24) -> RenderableType:
    """The result for a terminal: counts and published counts, findings, the verdict.

    Each kind of finding is shown with some `examples`. A field with more than `longest`
    values takes one line, and at most `longest` problems are listed.
    """
    parts: list[RenderableType] = [_counts(result, longest)]
    if result.findings:
        parts.append(_findings(result.findings, examples))
    if result.without_transcript:
        parts.append(Text(f"{result.without_transcript} utterances have no transcript"))
    if result.missing_parts:
        missing = ", ".join(result.missing_parts)
        parts.append(Text(f"not there: {missing}; the counts of the rest were compared"))
    parts += [Text(f"wrong: {problem}", style="red") for problem in result.problems[:longest]]
    if len(result.problems) > longest:
        parts.append(Text(f"wrong: {len(result.problems) - longest} more like these", style="red"))
    verdict = "fit for training" if result.fit_for_training else "not fit for training"
    style = "green" if result.fit_for_training else "bold red"
    parts.append(Text(f"{result.name} is {verdict}", style=style))
    return Group(*parts)


def _counts(result: CorpusCheck, longest: int) -> Table:
    facts = f"{result.name}: {result.num_utterances} utterances, {result.hours:.2f} h"
    counts = Table("field", "value", "utterances", "published", title=escape(facts))
    for field, values in result.counts.items():
        if len(values) > longest:
            numbers = sorted(values.values())
            spread = f"{numbers[0]} to {numbers[-1]} each, median {median(numbers):g}"
            counts.add_row(field, f"{len(values)} values", spread, "")
            continue
        published = result.expected.get(field, {})
        for value in sorted({*values, *published}):
            shown = str(published.get(value, ""))
            counts.add_row(field, escape(value), str(values.get(value, 0)), shown)
    return counts


def _findings(found: Sequence[Finding], examples: int) -> Table:
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for finding in found:
        kinds[finding.kind].append(finding)
    shown = Table("finding", "number", "for example")
    for kind, items in sorted(kinds.items()):
        lines = "\n".join(
            f"{item.where}: {item.detail}" if item.detail else item.where
            for item in items[:examples]
        )
        shown.add_row(escape(kind), str(len(items)), escape(lines))
    return shown
