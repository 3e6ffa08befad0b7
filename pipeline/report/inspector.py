"""report/utterances/: for each experiment a page of all utterances that it tested, to
search, sort, hear and look at.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import executor, folders, lookup
from pipeline.lookup import ConfigurationError
from pipeline.report import heard, utterance_page, weighed
from pipeline.report.experiments import Experiment
from pipeline.report.heard import Alignment, Recording
from pipeline.report.weighed import Weighed
from pipeline.schema import Utterance, WordSpan
from pipeline.tables import read_rejections, read_spans, read_utterances

PAGES, RECORDINGS = "utterances", "recordings"
# Utterances of an experiment that can be heard and looked at; all are listed.
MOST = 10_000


@dataclass(frozen=True)
class _Drawn:
    """Recordings of one corpus, for a worker."""

    recordings: Sequence[Recording]
    folder: Path


def write(
    found: Sequence[Experiment], data: Path, out: Path, audible: Collection[str]
) -> dict[str, list[str]]:
    """Writes the pages of all experiments whose predictions are here into
    out/utterances/ and what they share into out/recordings/.

    audible: the corpora whose sound may lie in the report. Returns by experiment what
    is missing, with a reason.
    """
    missing: dict[str, list[str]] = {}
    work: list[_Drawn | Weighed] = []
    pages = []
    for corpus in dict.fromkeys(item.corpus for item in found):
        experiments = [item for item in found if item.corpus == corpus]
        try:
            known = _utterances(corpus, data)
        except FileNotFoundError as error:
            missing |= {item.name: [f"no page of utterances: {error}"] for item in experiments}
            continue
        predicted = {}
        for item in experiments:
            try:
                predicted[item.name] = _predictions(item, known)
            except (FileNotFoundError, ConfigurationError) as error:
                missing[item.name] = [f"no page of utterances: {error}"]
        placed = _alignments(corpus, experiments, data)
        recordings = _recordings(corpus, known, predicted, placed, corpus in audible)
        folder = out / RECORDINGS / corpus
        work += [
            _Drawn(recordings[first : first + weighed.TOGETHER], folder)
            for first in range(0, len(recordings), weighed.TOGETHER)
        ]
        for item in experiments:
            if item.name in predicted:
                pages.append((item, known, predicted[item.name]))
                work += _folds(item, known, predicted[item.name], placed, data, out)
    unseen: dict[str, str] = {}
    if work:
        for name, reason in filter(None, executor.run(_do, work, "utterances")):
            unseen.setdefault(name, reason)
    for item, known, rows in pages:
        recorded = f"../../{RECORDINGS}/{item.corpus}"
        folder = out / PAGES / item.name
        utterance_page.write(item, known, rows, folder, recorded, unseen.get(item.name))
    for name, reason in unseen.items():
        missing.setdefault(name, []).append(f"no weights of words and frames: {reason}")
    return missing


def silence(corpus: str) -> str:
    """Why the sound of a corpus stays out of the report."""
    licence = "its terms are not known to"
    if corpus.split("-", 1)[0] in lookup.names("corpora"):
        licence = f"its licence ({lookup.component('corpora', corpus).LICENCE.name}) does not"
    return (
        f"The sound of {corpus} stays out of this page: {licence} let it be passed on. "
        "`report: {audio: true}` in params.yaml, then `serflow sync` and `dvc repro`, puts it in."
    )


def _utterances(corpus: str, data: Path) -> dict[str, Utterance]:
    path = folders.utterances(data, corpus) / folders.UTTERANCES
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: `dvc pull` fetches it")
    return {item.utterance_id: item for item in read_utterances(path)}


def _predictions(experiment: Experiment, known: Mapping[str, Utterance]) -> list[dict[str, Any]]:
    """Rows of predictions.parquet, the most confident mistakes first, then what is
    right, the least sure first; each with `shares`, its probabilities by class, and
    `shown`, whether its utterance can be heard and looked at.
    """
    rows: list[dict[str, Any]] = experiment.predictions.to_pylist()
    lost = sorted({item["utterance_id"] for item in rows} - set(known))
    if lost:
        raise ConfigurationError(
            f"{lost[0]} was tested and is no utterance of {experiment.corpus} any more: "
            "`dvc repro` brings data and models in step"
        )
    for item in rows:
        item["shares"] = [item[f"p_{name}"] for name in experiment.classes]
    rows.sort(key=_rank)
    shown = set(list(dict.fromkeys(item["utterance_id"] for item in rows))[:MOST])
    for item in rows:
        item["shown"] = item["utterance_id"] in shown
    return rows


def _rank(item: Mapping[str, Any]) -> tuple[bool, float, str, int]:
    right, share = item["label"] == item["predicted"], max(item["shares"])
    return right, share if right else -share, item["utterance_id"], item["seed"]


def _alignments(
    corpus: str, experiments: Sequence[Experiment], data: Path
) -> dict[str, tuple[dict[str, list[WordSpan]], dict[str, str], Mapping[str, Any]]]:
    """Of every alignment that was made: spans, reasons without spans, tolerances."""
    checks = {
        described["name"]: described.get("check", {})
        for item in experiments
        if (described := item.checkpoint.get("alignment"))
    }
    found = {}
    for path in sorted((data / "spans" / corpus).glob(f"*/{folders.SPANS}")):
        listed = path.with_name(folders.REJECTS)
        rejected = read_rejections(listed) if listed.is_file() else []
        reasons = {
            item.utterance_id: ": ".join(filter(None, (item.reason, item.detail)))
            for item in rejected
        }
        name = path.parent.name
        found[name] = read_spans(path), reasons, checks.get(name, {})
    return found


def _recordings(
    corpus: str,
    known: Mapping[str, Utterance],
    predicted: Mapping[str, Sequence[Mapping[str, Any]]],
    placed: Mapping[str, tuple[Mapping[str, Any], Mapping[str, str], Mapping[str, Any]]],
    audible: bool,
) -> list[Recording]:
    by_utterance: dict[str, dict[str, dict[str, Any]]] = {}
    for name, rows in predicted.items():
        tested: dict[str, list[Mapping[str, Any]]] = {}
        for item in rows:
            if item["shown"]:
                tested.setdefault(item["utterance_id"], []).append(item)
        for utterance_id, several in tested.items():
            by_utterance.setdefault(utterance_id, {})[name] = _mean(several)
    return [
        Recording(
            known[utterance_id],
            [
                Alignment(name, spans.get(utterance_id, []), check, reasons.get(utterance_id, ""))
                for name, (spans, reasons, check) in placed.items()
                if utterance_id in spans or utterance_id in reasons
            ],
            experiments,
            "" if audible else silence(corpus),
        )
        for utterance_id, experiments in sorted(by_utterance.items())
    ]


def _mean(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What an experiment said of an utterance, mean over seeds and folds."""
    labels = [name.removeprefix("p_") for name in several[0] if name.startswith("p_")]
    shares = np.mean([item["shares"] for item in several], axis=0)
    return {
        "truth": several[0]["label"],
        "predicted": labels[int(np.argmax(shares))],
        "probabilities": {
            label: round(float(share), 6) for label, share in zip(labels, shares, strict=True)
        },
    }


def _folds(
    experiment: Experiment,
    known: Mapping[str, Utterance],
    rows: Sequence[Mapping[str, Any]],
    placed: Mapping[str, tuple[Mapping[str, Any], Any, Any]],
    data: Path,
    out: Path,
) -> Iterator[Weighed]:
    name, models = experiment.name, experiment.folder.parent
    alignment = experiment.settings.get("alignment")
    # A system without word times of its own is shown with the first there are.
    own = placed.get(str(alignment)) or next(iter(placed.values()), None)
    spans: Mapping[str, Sequence[WordSpan]] = own[0] if own is not None else {}
    drawn = [item for item in rows if item["shown"]]
    for fold in sorted({item["fold"] for item in drawn}):
        mine = [item for item in drawn if item["fold"] == fold]
        tested = sorted({item["utterance_id"] for item in mine})
        yield Weighed(
            name,
            experiment.settings,
            [folders.fold(models, name, seed, fold) for seed in sorted({x["seed"] for x in mine})],
            fold,
            {item: known[item] for item in tested},
            {item: spans[item] for item in tested if item in spans},
            data,
            out / PAGES / name / "seen",
        )


def _do(item: _Drawn | Weighed) -> tuple[str, str] | None:
    """Writes files; returns an experiment and why what its folds saw cannot be told."""
    if isinstance(item, _Drawn):
        for recording in item.recordings:
            heard.write(recording, item.folder)
        return None
    try:
        weighed.write(item)
    except (FileNotFoundError, ConfigurationError) as error:
        return item.experiment, str(error)
    return None
