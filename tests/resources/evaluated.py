"""Evaluated experiments as far as the papers' figures read them, and what was drawn."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline import folders, tables
from pipeline.report import figures
from pipeline.report.paper_figures import Drawn, draw, sources
from pipeline.report.paper_sources import Sources
from tests.resources import fold_rows

LABELS = {
    "cbla": ["anger", "excited", "neutral", "sad"],
    "pba": ["neutral", "positive", "negative"],
}
FOUR = ["angry", "happy", "neutral", "sad"]


def add(
    root: Path,
    name: str,
    network: str,
    split: str = "session",
    corpus: str = "demo",
    classes: Sequence[str] = FOUR,
    folds: int = 1,
    n: int = 40,
    old: bool = False,
    **further: Any,
) -> dict[str, Any]:
    """An evaluated experiment as far as the figures read it; `old` knows no training
    accuracy, `further` are settings. Returns its metrics.
    """
    generator = np.random.default_rng(len(name) + sum(map(ord, network)))
    scores = {
        "recall": {item: float(generator.random()) for item in classes},
        "f1": {item: float(generator.random()) for item in classes},
        "wa": float(generator.random()),
        "ua": float(generator.random()),
        "n": n,
        "selected_by": "validation ua",
    }
    if split.endswith("-published"):
        scores["selected_by"] = "last epoch, no validation"
    folder = root / "models" / name
    settings = {"corpus": corpus, "network": network, "split": split, **further}
    tables.write_json(folder / "folds" / "experiment.json", {"name": name, "experiment": settings})
    tables.write_json(folder / "metrics.json", scores)
    tables.write_json(folder / "details.json", {})
    lines = ["seed,fold,n,epoch,wa,ua"]
    for fold in range(folds):
        lines.append(f"0,{fold},{n // folds},2,{0.5 + fold / 100},{0.4 + fold / 100}")
        names = ["train_loss", *([] if old else ["train_wa"]), "valid_loss", "valid_wa"]
        curves = [",".join(["epoch", *names])]
        curves += [
            ",".join([str(epoch), *(f"{epoch / 10 + fold}" for _ in names)]) for epoch in (1, 2, 3)
        ]
        place = folders.fold(root / "models", name, 0, fold) / "history.csv"
        tables.write_text(place, "\n".join(curves) + "\n")
    tables.write_text(folder / "per_fold.csv", "\n".join(lines) + "\n")
    rows = [{"utterance_id": f"u{i}", "label": classes[i % len(classes)]} for i in range(n)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "predictions.parquet")
    return scores


def add_division(root: Path, split: str, rows: Sequence[tuple[int, str, str]]) -> None:
    """folds.parquet of (fold, subset, utterance_id)."""
    corpus = "demo_zh" if split.startswith("ratio") else "demo"
    place = folders.split(root / "data", corpus, split)
    fold_rows.write(place / "folds.parquet", [(*row, None) for row in rows])


def sources_of(root: Path, paper: str, corpus: str = "demo", split: str | None = None) -> Sources:
    return sources(paper, corpus, root / "models", root / "data", split)


def drawn(root: Path, paper: str, corpus: str = "demo") -> Drawn:
    return draw(sources_of(root, paper, corpus), root / "out")


def read(made: Drawn, name: str) -> list[dict[str, str]]:
    """The CSV beside the picture `name`, which is there in both forms and not empty."""
    (path,) = [path for path in made.pictures if path.stem == name]
    assert path.with_suffix(".svg").is_file()
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
        assert max(image.size) < 1200 and (pixels < 200).mean() > 0.003
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def give_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Utterance vectors without a checkpoint."""

    def some(item: Any, data_root: Path) -> tuple[list[str], np.ndarray]:
        names = item.predictions["utterance_id"].to_pylist()[:20]
        return names, np.random.default_rng(list(item.name.encode())).normal(size=(20, 6))

    monkeypatch.setattr(figures, "utterance_vectors", some)
