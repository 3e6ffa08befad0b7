"""The page of the utterances that an experiment tested: a table, and each of them to
hear and to look at.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import __version__
from pipeline.report.experiments import Experiment
from pipeline.report.heard import key, write_data
from pipeline.report.markup import environment, policy
from pipeline.report.weighed import file_of
from pipeline.schema import Utterance
from pipeline.tables import write_text


def write(
    experiment: Experiment,
    known: Mapping[str, Utterance],
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    recordings: str,
    unseen: str | None,
) -> None:
    """Writes index.html and table.js into `folder`.

    rows: of predictions.parquet in the order of the page, each with `shares`, its
    probabilities by class, and `shown`, whether it can be heard and looked at.
    recordings: where the utterances' own files lie, as the page names the folder.
    unseen: why there are no weights of words and frames, None where there are.
    """
    classes = experiment.classes
    chunks: dict[tuple[int, str], str] = {}
    shown = [item for item in rows if item["shown"]]
    for fold in {item["fold"] for item in shown}:
        names = sorted({item["utterance_id"] for item in shown if item["fold"] == fold})
        chunks |= {(fold, name): file_of(fold, at) for at, name in enumerate(names)}
    lines = [
        row(
            known[item["utterance_id"]],
            classes.index(item["label"]),
            item["shares"],
            item["fold"],
            item["seed"],
            None if unseen else chunks.get((item["fold"], item["utterance_id"])),
            item["shown"],
        )
        for item in rows
    ]
    values = {
        "experiment": experiment.name,
        "network": experiment.network,
        "alignment": experiment.settings.get("alignment"),
        "classes": classes,
        "recordings": recordings,
        "single": False,
        "unseen": f"It cannot be told: {unseen}" if unseen else None,
        "rows": lines,
    }
    context = {
        "name": experiment.name,
        "lead": f"{experiment.network} on {experiment.corpus}, {experiment.split} folds",
        "report": "../../index.html",
        "synthetic": experiment.synthetic,
        "classes": classes,
        "counts": experiment.confusion.tolist(),
        "shown": len(shown) if len(shown) < len(rows) else None,
    }
    write_files(folder, values, context)


def write_files(folder: Path, values: Mapping[str, Any], context: Mapping[str, Any]) -> Path:
    """index.html of a `context` that templates/inspector.html shows, and table.js with
    the `values` that its script reads; returns the first.
    """
    write_data(folder / "table.js", "table", values)
    write_text(folder / "index.html", page({**context, "table": "table.js"}))
    return folder / "index.html"


def page(context: Mapping[str, Any]) -> str:
    """templates/inspector.html with its style, script and policy."""
    made = environment()
    style = made.from_string('{% include "style.css" %}{% include "inspector.css" %}').render()
    script = made.get_template("inspector.js").render()
    own = {"style": style, "script": script, "policy": policy(style, script, beside=True)}
    return made.get_template("inspector.html").render(**own, version=__version__, **context)


def row(
    utterance: Utterance,
    truth: int | None,
    shares: Sequence[float],
    fold: int = 0,
    seed: int = 0,
    chunk: str | None = None,
    shown: bool = True,
) -> list[Any]:
    """One line of the page's table, as templates/inspector_list.js reads it."""
    best = int(np.argmax(shares))
    seconds = None if utterance.duration is None else round(utterance.duration, 3)
    said = utterance.transcript or " ".join(utterance.words)
    name = utterance.utterance_id
    share = round(float(shares[best]), 6)
    number = key(name) if shown else ""
    speaker = utterance.speaker
    return [number, name, truth, best, share, speaker, seconds, fold, seed, chunk, said]
