"""The card of one experiment: what was done, on whom, how it was checked, and how it
came out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from pipeline.report import accounts, svg
from pipeline.report.audit import Finding, alignment, findings
from pipeline.report.experiments import Experiment, metric, percent

CAPTIONS = {
    "tsne": "Utterance vectors before the classifier (t-SNE), a test fold",
    "alignment": "Word spans of one utterance",
    "features": "Short-term features of one utterance",
}


def card(experiment: Experiment, data_root: Path, pictures: Sequence[Path]) -> str:
    """The experiment as an HTML article; `pictures` are its PNG files to show."""
    parts = [
        _tiles(experiment.metrics),
        '<div class="grid">',
        _section("How", _facts(experiment)),
        _section("Can the score be trusted?", _audit(experiment, data_root)),
        _section("Where the utterances went", _accounts(experiment, data_root)),
        _section("Word alignment", _alignment(experiment, data_root)),
        _section(
            "Confusion <small>percent of each true class, all folds</small>", _confusion(experiment)
        ),
        _section("Recall of each class", _recalls(experiment)),
        _section("UA of each fold <small>ring: best test epoch</small>", _folds(experiment)),
        _section(
            "Loss <small>dots: chosen epochs</small>",
            _curves(experiment, ("train_loss", "valid_loss")),
        ),
        _section("Validation UA", _curves(experiment, ("valid_ua",))),
        "</div>",
        _pictures(pictures),
    ]
    lead = f"{escape(experiment.network)} on {escape(experiment.corpus)}, {escape(experiment.split)} folds"
    if experiment.synthetic:
        lead += ' · <span class="warn">synthetic speech</span>'
    return (
        f'<article id="{escape(experiment.name, quote=True)}"><h2>{escape(experiment.name)}</h2>'
        f'<p class="lead">{lead}</p>{"".join(parts)}</article>'
    )


def _section(title: str, content: str) -> str:
    return f"<section><h3>{title}</h3>{content}</section>" if content else ""


def _tiles(metrics: Mapping[str, Any]) -> str:
    tiles = []
    for key in ("ua", "wa"):
        low, high = (
            metric(dict(metrics), f"{key}_ci95.low"),
            metric(dict(metrics), f"{key}_ci95.high"),
        )
        tiles.append(
            f'<div class="tile"><b>{percent(metrics[key])}</b><span>{key.upper()}, 95 % interval '
            f"{percent(low)}–{percent(high)}</span></div>"
        )
    tiles.append(
        f'<div class="tile"><b>{percent(metrics["macro_f1"])}</b><span>macro F1</span></div>'
    )
    for selection, name in (("test_selected", "best test epoch"), ("last_epoch", "last epoch")):
        values = metrics[selection]
        text = f"UA, {name} (WA {percent(values['wa'])})"
        tiles.append(
            f'<div class="tile grey"><b>{percent(values["ua"])}</b><span>{text}</span></div>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _facts(experiment: Experiment) -> str:
    settings, checkpoint, metrics = experiment.settings, experiment.checkpoint, experiment.metrics
    units = f"{metrics['bootstrap']['units']} {metrics['bootstrap']['resampled']}"
    facts = {
        "network": experiment.network + _changes(settings.get("hyperparameters")),
        "features": str(settings.get("acoustic"))
        + _changes(checkpoint.get("acoustic", {}).get("config")),
        "words": str(settings.get("text")) + _changes(checkpoint.get("text", {}).get("config")),
        "aligner": str(settings.get("alignment")),
        "recipe": _recipe(checkpoint.get("recipe", {}))
        + _changes(settings.get("training"), "changed: "),
        "epoch": f"{metrics['epoch_mean']:.0f} on average, by validation {str(settings.get('select', 'ua')).upper()}",
        "tested": f"{metrics['n']} utterances, {_count(metrics['folds'], 'fold')}, {_count(metrics['seeds'], 'seed')}",
        "interval": f"bootstrap over {units}, {metrics['bootstrap']['resamples']} draws",
        "versions": ", ".join(
            f"{name} {value}" for name, value in checkpoint.get("versions", {}).items()
        ),
    }
    items = "".join(
        f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value
    )
    return f'<dl class="facts">{items}</dl>'


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _changes(values: Mapping[str, Any] | None, label: str = "") -> str:
    if not values:
        return ""
    return f" ({label}{', '.join(f'{name} {value}' for name, value in values.items())})"


def _recipe(recipe: Mapping[str, Any]) -> str:
    if not recipe:
        return ""
    text = f"{recipe['optimizer']} {recipe['learning_rate']:g}, batch {recipe['batch_size']}, {recipe['epochs']} epochs"
    for name in ("momentum", "weight_decay", "l2"):
        if recipe.get(name):
            text += f", {name.replace('_', ' ')} {recipe[name]:g}"
    return text


def _audit(experiment: Experiment, data_root: Path) -> str:
    audit = accounts.read_json(accounts.split_folder(experiment, data_root) / "metrics.json")
    return _sentences(findings(audit))


def _accounts(experiment: Experiment, data_root: Path) -> str:
    rows = ""
    for item in accounts.accounts(experiment, data_root):
        reasons = "; ".join(
            f"{count} × {escape(reason)}" for reason, count in sorted(item.reasons.items())
        )
        used = "–" if item.used is None else str(item.used)
        rows += (
            f'<tr><td>{escape(item.stage)}</td><td class="number">{used}</td>'
            f'<td class="number">{item.rejected}</td><td class="wide grey">{reasons}</td></tr>'
        )
    head = '<tr><th>stage</th><th class="number">used</th><th class="number">rejected</th><th>why</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _alignment(experiment: Experiment, data_root: Path) -> str:
    metrics = accounts.read_json(accounts.spans_folder(experiment, data_root) / "metrics.json")
    return _sentences(alignment(metrics))


def _sentences(found: Iterable[Finding]) -> str:
    lines = "".join(
        f'<li class="{item.state}"><span>{escape(item.text)}</span></li>' for item in found
    )
    return f'<ul class="audit">{lines}</ul>' if lines else ""


def _confusion(experiment: Experiment) -> str:
    if not (experiment.folder / "predictions.parquet").is_file():
        return '<p class="note">predictions.parquet is not here, expected after <code>dvc pull</code>.</p>'
    classes = list(experiment.metrics["recall"])
    place = {name: index for index, name in enumerate(classes)}
    counts = [[0] * len(classes) for _ in classes]
    table = experiment.predictions
    for label, predicted in zip(
        table["label"].to_pylist(), table["predicted"].to_pylist(), strict=True
    ):
        if predicted is not None:
            counts[place[label]][place[predicted]] += 1
    return svg.confusion(counts, classes)


def _recalls(experiment: Experiment) -> str:
    selected = experiment.metrics["test_selected"]["recall"]
    values = [
        (name, value, selected.get(name)) for name, value in experiment.metrics["recall"].items()
    ]
    return svg.bars(values, "recall of each class in percent")


def _folds(experiment: Experiment) -> str:
    numbers = sorted({int(row["fold"]) for row in experiment.folds})
    bars = []
    for number in numbers:
        rows = [row for row in experiment.folds if int(row["fold"]) == number]
        ours = sum(row["ua"] for row in rows) / len(rows)
        bars.append(
            (f"fold {number}", ours, sum(row["test_selected_ua"] for row in rows) / len(rows))
        )
    return svg.bars(bars, "UA of each fold in percent", mean=experiment.metrics["ua"])


def _curves(experiment: Experiment, keys: tuple[str, ...]) -> str:
    histories = experiment.histories
    if not histories:
        return ""
    names = {"train_loss": "training", "valid_loss": "validation", "valid_ua": "validation"}
    lines = {
        names[key]: [
            [(row["epoch"], row[key]) for row in history] for history in histories.values()
        ]
        for key in keys
    }
    chosen = {
        f"seed-{row['seed']:.0f}-fold-{row['fold']:.0f}": row["epoch"] for row in experiment.folds
    }
    marks = [
        (row["epoch"], row[keys[-1]])
        for name, history in histories.items()
        for row in history
        if row["epoch"] == chosen.get(name)
    ]
    return svg.curves(lines, " and ".join(keys).replace("_", " "), marks)


def _pictures(paths: Sequence[Path]) -> str:
    figures = ""
    for path in paths:
        caption = CAPTIONS[path.stem]
        content = base64.b64encode(path.read_bytes()).decode()
        figures += (
            f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{content}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return f'<div class="grid">{figures}</div>' if figures else ""
