"""The papers' tables: published figures beside ours, under the papers' practice of
training and under the honest one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pipeline import folders, lookup
from pipeline.evaluation.metrics import evaluate_experiment
from pipeline.evaluation.probabilities import only, read_folds
from pipeline.report import accounts
from pipeline.report.audit import declared
from pipeline.report.experiments import Experiment, experiments, metric, synthetic_speech
from pipeline.report.results import reference_line
from pipeline.report.stated import published
from pipeline.tables import read_rejections

Practice = Literal["honest", "published", "both"]
UNVALIDATED = "-published"  # ends the name of a split that is as the papers train


@dataclass(frozen=True)
class Score:
    """A score in percent and its 95 % interval, None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Figure:
    """One measure of a system in percent.

    published: the paper's; honest: ours at the epoch that validation chose, and best
    test epoch of the same training; last, best: ours under the papers' practice, at the
    last and at the best test epoch of a training without validation.
    """

    published: float | None
    honest: Score | None
    test_selected: Score | None
    last: Score | None
    best: Score | None


@dataclass(frozen=True)
class Line:
    """One system of a paper's table, and the experiment that ran it or None."""

    system: str
    split: str
    experiment: str | None
    figures: dict[str, Figure]


@dataclass(frozen=True)
class PaperTable:
    """A paper's table on one corpus; `published_corpus` is the one that the published
    figures are of.

    scored: the number of utterances that every experiment of the table was scored on,
    by split. left_out: utterances that a system could not use, by what it lacked, which
    count for none. filled: utterances that were fed with zeros, by what they lacked.
    declared: what test and training have in common, by split. references: the reference
    line, by split; below: the experiments that are not above it. synthetic: what the
    corpus has of synthetic speech, in words.
    """

    paper: str
    corpus: str
    published_corpus: str
    metrics: tuple[str, ...]
    lines: tuple[Line, ...]
    scored: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    below: dict[str, list[str]] = field(default_factory=dict)
    synthetic: str = ""


def table(paper: str, corpus: str, models_root: Path, data_root: Path = Path("data")) -> PaperTable:
    """A paper's table on a corpus, from the experiments below models/ that run its
    systems there.

    A corpus that the paper does not report is put beside the paper's first one. Where
    the paper has several protocols (TSIN), a system has a line for each; else every
    split counts as the paper's. All experiments on a split are scored on the utterances
    that each of them tested.
    """
    stated = published(paper)
    known = [item.corpus for item in stated]
    reference = corpus if corpus in known else known[0]
    stated = [item for item in stated if item.corpus == reference]
    values = {(item.system, item.split, item.metric): item.value for item in stated}
    metrics = tuple(dict.fromkeys(item.metric for item in stated))
    systems = list(dict.fromkeys(item.system for item in stated))
    protocols = list(dict.fromkeys(item.split for item in stated))
    several = len(protocols) > 1
    there = [item for item in experiments(models_root) if item.corpus == corpus]
    ours = [item for item in there if item.network in systems]
    speech = there[0].synthetic if there else synthetic_speech(corpus)
    made = PaperTable(paper, corpus, reference, metrics, (), synthetic=speech)
    by_split: dict[str, list[Experiment]] = {}
    for item in ours:
        by_split.setdefault(base_split(item.split), []).append(item)
    ours = []
    for split, group in by_split.items():
        ours += _on_the_same(split, group, data_root, made)
        for item in group:
            if shared := declared(accounts.split_metrics(item, data_root)):
                made.declared[split] = shared
        linear = [item for item in there if item.reference and item.split == split]
        line = reference_line([*linear, *group], data_root)
        made.references[split] = line.text
        made.below[split] = [item.network for item in group if not line.beats(item)]
    if several:
        run = {protocol_of(item) for item in ours}
        protocols = [protocol for protocol in protocols if protocol in run] or protocols
    lines = []
    for protocol in protocols:
        for system in systems:
            mine = [
                item
                for item in ours
                if item.network == system and (not several or protocol_of(item) == protocol)
            ]
            for honest, unvalidated in _paired(mine):
                first = honest or unvalidated
                figures = {
                    name: Figure(
                        values.get((system, protocol, name)),
                        _score(honest, "", name),
                        _score(honest, "test_selected.", name),
                        _score(unvalidated, "last_epoch.", name),
                        _score(unvalidated, "test_selected.", name),
                    )
                    for name in metrics
                }
                split = protocol if first is None else base_split(first.split)
                lines.append(Line(system, split, first.name if first else None, figures))
    return replace(made, lines=tuple(lines))


def base_split(name: str) -> str:
    """The split whose training part was not divided, for a split that is as papers
    train; else the split itself.
    """
    return name.removesuffix(UNVALIDATED)


def states_validation(split: str) -> bool:
    """Whether the protocol of a split states the validation set itself (`ratio`)."""
    config = lookup.component("splits", split).Config
    return "validation_share" not in config.__dataclass_fields__


def protocol_of(experiment: Experiment) -> str:
    """The protocol of an experiment's split, 'session' for `session-merged`."""
    return experiment.split.split("-", 1)[0]


def _paired(
    found: Sequence[Experiment],
) -> list[tuple[Experiment | None, Experiment | None]]:
    """Each experiment with validation and the one that is the same but for it; the
    experiment itself where its protocol states the validation set, as its paper does.
    """
    without = {item.name.removesuffix(UNVALIDATED): item for item in found if not item.validated}
    pairs: list[tuple[Experiment | None, Experiment | None]] = []
    for item in found:
        if item.validated:
            own = states_validation(item.split)
            pairs.append((item, item if own else without.pop(item.name, None)))
    return pairs + [(None, item) for item in without.values()] or [(None, None)]


def _on_the_same(
    split: str, group: Sequence[Experiment], data_root: Path, made: PaperTable
) -> list[Experiment]:
    """The experiments scored on the utterances that all of them tested; notes in `made`
    how many these are, which were left out, and which were fed with zeros.
    """
    tested = {item.name: set(item.predictions["utterance_id"].to_pylist()) for item in group}
    common = set.intersection(*tested.values())
    anyone = set.union(*tested.values())
    if not common:
        raise lookup.ConfigurationError(
            f"the experiments on {split} have tested no utterance in common: "
            f"{', '.join(sorted(tested))}"
        )
    made.scored[split] = len(common)
    for file, wanted, notes in (
        (folders.REJECTS, anyone - common, made.left_out),
        (folders.FILLED, common, made.filled),
    ):
        listed: dict[str, str] = {}
        for item in group:
            path = folders.trained(item.folder.parent, item.name) / file
            for row in read_rejections(path) if path.is_file() else ():
                listed.setdefault(row.utterance_id, row.detail)
        for name in sorted(wanted):
            if name in listed or file == folders.REJECTS:
                reason = listed.get(name, "not tested by every system")
                notes[reason] = notes.get(reason, 0) + 1
    return [
        item if tested[item.name] == common else _rescored(item, common, data_root)
        for item in group
    ]


def _rescored(experiment: Experiment, common: set[str], data_root: Path) -> Experiment:
    trained = folders.trained(experiment.folder.parent, experiment.name)
    rows = experiment.predictions.select(["utterance_id", "label"]).to_pylist()
    truth = {row["utterance_id"]: row["label"] for row in rows}
    folds, classes = read_folds(trained)
    speakers = accounts.speakers(experiment, data_root)
    found = evaluate_experiment(only(folds, common), truth, classes, speakers)
    return replace(experiment, metrics=found.metrics)


def _score(experiment: Experiment | None, prefix: str, name: str) -> Score | None:
    if experiment is None:
        return None
    value, low, high = (
        None if share is None else 100 * float(share)
        for share in (
            metric(experiment.metrics, f"{prefix}{key}")
            for key in (name, f"{name}_ci95.low", f"{name}_ci95.high")
        )
    )
    return None if value is None else Score(value, low, high)
