"""What the stages say of an experiment: metrics, and where every utterance went."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import folders
from pipeline.report.experiments import Experiment, read_json
from pipeline.tables import read_rejections, read_table


@dataclass(frozen=True)
class Account:
    """One stage: utterances used (None where nothing says so), rejections by reason."""

    stage: str
    used: int | None
    reasons: dict[str, int]

    @property
    def rejected(self) -> int:
        """Number of rejections."""
        return sum(self.reasons.values())


def accounts(experiment: Experiment, data_root: Path) -> list[Account]:
    """The stages that the experiment uses, in the order of the data; those whose files
    are not here are left out.
    """
    corpus, settings = experiment.corpus, experiment.settings
    places = {"prepare": folders.utterances(data_root, corpus)}
    for stage, key, folder in (
        ("acoustic", "acoustic", folders.acoustic),
        ("align", "alignment", folders.spans),
        ("text", "text", folders.text),
        ("split", "split", folders.split),
    ):
        if name := settings.get(key):
            places[f"{stage} {name}"] = folder(data_root, corpus, name)
    found = []
    for stage, place in places.items():
        used = read_json(folders.metrics(place)).get("used")
        rejects = place / folders.REJECTS
        if used is not None or rejects.is_file():
            found.append(Account(stage, used, _reasons(rejects)))
    trained = folders.trained(experiment.folder.parent, experiment.name)
    tested = Account("tested", experiment.metrics.get("n"), _reasons(trained / folders.REJECTS))
    return [*found, tested]


def split_metrics(experiment: Experiment, data_root: Path) -> dict[str, Any]:
    """metrics.json of the split stage: the leakage audit."""
    place = folders.split(data_root, experiment.corpus, experiment.split)
    return read_json(folders.metrics(place))


def align_metrics(experiment: Experiment, data_root: Path) -> dict[str, Any]:
    """metrics.json of the align stage, {} for a system that reads no word times."""
    alignment = experiment.settings.get("alignment")
    if alignment is None:
        return {}
    return read_json(folders.metrics(folders.spans(data_root, experiment.corpus, alignment)))


def speakers(experiment: Experiment, data_root: Path) -> dict[str, str | None]:
    """Speaker by utterance, {} where the corpus's utterances are not here."""
    path = folders.utterances(data_root, experiment.corpus) / folders.UTTERANCES
    if not path.is_file():
        return {}
    table = read_table(path, columns=["utterance_id", "speaker"])
    return dict(zip(table["utterance_id"].to_pylist(), table["speaker"].to_pylist(), strict=True))


def majority(experiment: Experiment, data_root: Path) -> tuple[float, float] | None:
    """WA and UA, means over folds, of always saying the class that the training part
    has most of; None where the split is not here.
    """
    place = folders.split(data_root, experiment.corpus, experiment.split)
    if not (place / folders.FOLDS).is_file() or not (place / folders.LABELS).is_file():
        return None
    folds, labels = read_table(place / folders.FOLDS), read_table(place / folders.LABELS)
    truth = labels["emotion"].to_pylist()
    scores = []
    for name in folds.column_names:
        if not name.startswith("subset_"):
            continue
        rows = list(zip(folds[name].to_pylist(), truth, strict=True))
        trained = Counter(label for subset, label in rows if subset in ("train", "valid"))
        tested = Counter(label for subset, label in rows if subset == "test")
        # Of equals the first in the alphabet.
        said = max(sorted(trained), key=trained.__getitem__)
        scores.append((tested[said] / tested.total(), (said in tested) / len(tested)))
    wa, ua = (sum(values) / len(scores) for values in zip(*scores, strict=True))
    return wa, ua


def _reasons(path: Path) -> dict[str, int]:
    """Number of utterances by reason; one that several folds reject counts once."""
    if not path.is_file():
        return {}
    once = sorted({(row.utterance_id, row.reason) for row in read_rejections(path)})
    return dict(Counter(reason for _, reason in once))
