"""Whether a corpus on disk is as published, and whether it is fit for training."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.commands import _corpus_findings as findings
from pipeline.commands._corpus_findings import Finding, Limits, Recording
from pipeline.corpora import Totals, differences, missing_parts
from pipeline.schema import Rejection, Utterance

COUNTED = ("emotion", "session", "speaker", "subset", "style", "language")


@dataclass(frozen=True)
class CorpusCheck:
    """The result of `check`: where there are `problems`, do not train.

    `counts` has the number of utterances by value of each field that the corpus fills,
    `expected` the published numbers; `missing_parts` are published parts that are not
    there at all, `findings` what a person should look at.
    """

    name: str
    num_utterances: int
    num_unusable: int
    hours: float
    without_transcript: int
    counts: Mapping[str, Mapping[str, int]]
    expected: Mapping[str, Mapping[str, int]]
    missing_parts: tuple[str, ...]
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]

    @property
    def fit_for_training(self) -> bool:
        """False when a model trained on these files would be wrong or not comparable
        with published results.
        """
        return not self.problems


def check(
    name: str,
    utterances: Sequence[Utterance],
    rejections: Sequence[Rejection] = (),
    published: Totals | None = None,
    *,
    recordings: Iterable[Recording | Rejection | None],
    root: Path | None = None,
    sampling_rate: int | None = None,
    limits: Limits | None = None,
) -> CorpusCheck:
    """Compares what a reader found with what was `published`.

    `utterances` and `rejections` come from the corpus's `read`, `recordings` from
    `inspect` of each utterance. `sampling_rate` (Hz) is the published one. `root` is
    searched for files that are no part of the corpus.
    """
    limits = limits or Limits()
    inspected = list(recordings)
    decoded = [item for item in inspected if isinstance(item, Recording)]
    unusable = [item for item in inspected if isinstance(item, Rejection)]
    found = [
        *(
            Finding(item.reason, item.utterance_id, item.detail)
            for item in [*rejections, *unusable]
        ),
        *findings.metadata(root),
        *findings.sampling_rates(decoded, sampling_rate),
        *findings.outliers(decoded, limits),
        *findings.shared_speakers(utterances),
    ]
    problems = list(_problems(utterances, rejections, published, unusable, limits))
    for finding, problem in findings.duplicates(utterances, decoded):
        found.append(finding)
        problems += [problem] if problem else []
    absent = tuple(missing_parts(published, utterances)) if published else ()
    return CorpusCheck(
        name=name,
        num_utterances=len(utterances),
        num_unusable=len(unusable),
        hours=sum(item.duration for item in decoded) / 3600,
        without_transcript=sum(not utterance.transcript for utterance in utterances),
        counts=_counts(utterances),
        expected=_expected(published),
        missing_parts=absent,
        findings=tuple(found),
        problems=tuple(problems),
    )


def _counts(utterances: Sequence[Utterance]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for field in COUNTED:
        values = Counter(
            str(value) for row in utterances if (value := getattr(row, field)) is not None
        )
        if values:
            found[field] = dict(sorted(values.items()))
    return found


def _expected(published: Totals | None) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for count in published.counts if published else ():
        fields = list(count.where.items())
        if len(fields) == 1 and len(fields[0][1]) == 1:
            found.setdefault(fields[0][0], {})[fields[0][1][0]] = count.expected
    return found


def _problems(
    utterances: Sequence[Utterance],
    rejections: Sequence[Rejection],
    published: Totals | None,
    unusable: Sequence[Rejection],
    limits: Limits,
) -> Iterator[str]:
    if not utterances:
        yield "no utterance was found"
        return
    emotions = sorted({row.emotion for row in utterances})
    if len(emotions) < 2:
        yield f"one class only ({emotions[0]}): a network needs two"
    repeated = sorted(
        name
        for name, number in Counter(row.utterance_id for row in utterances).items()
        if number > 1
    )
    if repeated:
        yield f"{len(repeated)} utterance ids stand twice ({repeated[0]} …)"
    # A reader of a published corpus also rejects files that are no part of it (songs,
    # other people's files): they are no loss. Clips that it could not decode are a part
    # of it, and their labels are not known here.
    silent = [item for item in rejections if published is None or item.reason.startswith("audio ")]
    lost = [*unusable, *silent]
    total = len(utterances) + len(silent)
    if len(lost) > limits.unusable_share * total:
        worst, number = Counter(item.reason for item in lost).most_common(1)[0]
        yield (
            f"{len(lost)} of {total} utterances ({len(lost) / total:.1%}) unusable, most because "
            f"of {worst!r} ({number}): more than {limits.unusable_share:.0%}"
        )
    if published is not None:
        lines = differences(published, utterances, rejections, tolerance=len(silent))
        yield from (f"published total: {line}" for line in lines)
