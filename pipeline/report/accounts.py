"""Where every utterance of an experiment went: used, or rejected by which stage and
why.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report.experiments import Experiment


@dataclass(frozen=True)
class Account:
    """One stage: utterances used, and how many were rejected for each reason; `used`
    None where nothing says so.
    """

    stage: str
    used: int | None
    reasons: dict[str, int]

    @property
    def rejected(self) -> int:
        """Number of rejections."""
        return sum(self.reasons.values())


def accounts(experiment: Experiment, data_root: Path) -> list[Account]:
    """The stages in the order of the data; those whose files are not here are left out."""
    settings = experiment.settings
    places = {
        "prepare": data_root / "utterances" / experiment.corpus,
        f"acoustic {settings.get('acoustic')}": data_root
        / "acoustic"
        / experiment.corpus
        / str(settings.get("acoustic")),
        f"align {settings.get('alignment')}": data_root
        / "spans"
        / experiment.corpus
        / str(settings.get("alignment")),
        f"text {settings.get('text')}": data_root
        / "text"
        / experiment.corpus
        / str(settings.get("text")),
        f"split {experiment.split}": split_folder(experiment, data_root),
    }
    found = []
    for stage, folder in places.items():
        used = read_json(folder / "metrics.json").get("used")
        if used is not None or (folder / "rejects.parquet").is_file():
            found.append(Account(stage, used, _reasons(folder / "rejects.parquet")))
    found.append(
        Account(
            "tested",
            experiment.metrics.get("n"),
            _reasons(experiment.folder / "folds" / "rejects.parquet"),
        )
    )
    return found


def split_folder(experiment: Experiment, data_root: Path) -> Path:
    """Where the split stage wrote."""
    return data_root / "splits" / experiment.corpus / experiment.split


def spans_folder(experiment: Experiment, data_root: Path) -> Path:
    """Where the align stage wrote."""
    return data_root / "spans" / experiment.corpus / str(experiment.settings.get("alignment"))


def speakers(experiment: Experiment, data_root: Path) -> dict[str, str | None]:
    """Speaker by utterance, {} where the corpus's utterances are not here."""
    import pyarrow.parquet as pq

    path = data_root / "utterances" / experiment.corpus / "utterances.parquet"
    if not path.is_file():
        return {}
    table = pq.read_table(path, columns=["utterance_id", "speaker"])
    return dict(zip(table["utterance_id"].to_pylist(), table["speaker"].to_pylist(), strict=True))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, {} where there is no file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _reasons(path: Path) -> dict[str, int]:
    import pyarrow.parquet as pq

    if not path.is_file():
        return {}
    rows = pq.read_table(path).to_pylist()
    return dict(
        Counter(
            reason for _, reason in sorted({(row["utterance_id"], row["reason"]) for row in rows})
        )
    )
