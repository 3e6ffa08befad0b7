"""What the page says of one experiment: what was done, on whom, how it was checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report import accounts, audit
from pipeline.report.accounts import Account
from pipeline.report.audit import Finding
from pipeline.report.experiments import Experiment
from pipeline.report.pictures import Picture
from pipeline.report.scrutiny import Scrutiny, scrutiny


@dataclass(frozen=True)
class Card:
    """One experiment as templates/card.html shows it.

    utterances: the address of its page of utterances. counts: its confusion matrix,
    None where predictions.parquet is not here.
    """

    experiment: Experiment
    facts: dict[str, str]
    declared: str
    audit: list[Finding]
    alignment: list[Finding]
    accounts: list[Account]
    figures: list[Picture]
    undrawn: Sequence[str]
    utterances: str | None
    counts: list[list[int]] | None
    scrutiny: Scrutiny | None


def card(
    experiment: Experiment,
    data_root: Path,
    figures: list[Picture],
    undrawn: Sequence[str],
    utterances: str | None,
) -> Card:
    """Joins an experiment with what the stages in `data_root` say of its inputs."""
    divided = accounts.split_metrics(experiment, data_root)
    return Card(
        experiment,
        facts(experiment),
        audit.declared(divided),
        audit.findings(divided),
        audit.alignment(accounts.align_metrics(experiment, data_root)),
        accounts.accounts(experiment, data_root),
        figures,
        undrawn,
        utterances,
        _counts(experiment),
        scrutiny(experiment, data_root),
    )


def _counts(experiment: Experiment) -> list[list[int]] | None:
    try:
        return [[int(count) for count in row] for row in experiment.confusion]
    except FileNotFoundError:
        return None


def facts(experiment: Experiment) -> dict[str, str]:
    """How the experiment was made, by heading; without inputs that it does not read."""
    settings, checkpoint, metrics = experiment.settings, experiment.checkpoint, experiment.metrics
    bootstrap = metrics["bootstrap"]
    found = {"network": experiment.network + _changes(settings.get("hyperparameters"))}
    for heading, key in (("features", "acoustic"), ("words", "text"), ("aligner", "alignment")):
        if settings.get(key) is not None:
            # An alignment has no single configuration: its chain stands in its name.
            found[heading] = settings[key] + _changes(checkpoint.get(key, {}).get("config"))
    if checkpoint.get("train_embedding"):
        found["words"] += ", vectors trained with the network"
    if experiment.reference:
        found["recipe"] = "fitted to all training rows at once, by scikit-learn"
    elif recipe := checkpoint.get("recipe"):
        found["recipe"] = _recipe(recipe) + _changes(settings.get("training"), "changed: ")
    if experiment.validated:
        _, measure = metrics["selected_by"].split()
        epoch = f"{metrics['epoch_mean']:.0f} on average, by validation {measure_of(measure)}"
    else:
        epoch = f"the last, {metrics['epoch_mean']:.0f}: no validation"
    found |= {
        "epoch": epoch,
        "tested": f"{metrics['n']} utterances{_filled(metrics.get('filled', 0))}, "
        f"{count_of(metrics['folds'], 'fold')}, " + count_of(metrics["seeds"], "seed"),
        "interval": f"bootstrap over {bootstrap['units']} {bootstrap['resampled']}, "
        f"{bootstrap['resamples']} draws",
    }
    if versions := checkpoint.get("versions"):
        found["versions"] = ", ".join(f"{name} {value}" for name, value in versions.items())
    return found


def count_of(number: int, noun: str) -> str:
    """'1 fold', '5 folds'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _filled(number: int) -> str:
    return f" ({number} without an input, fed with zeros)" if number else ""


def measure_of(name: str) -> str:
    """A measure as people write it: 'UA', '0.9 WA + 0.1 UA', 'loss'."""
    return {"wa_ua": "0.9 WA + 0.1 UA", "loss": "loss"}.get(name, name.upper())


def _changes(values: Mapping[str, Any] | None, label: str = "") -> str:
    if not values:
        return ""
    return f" ({label}{', '.join(f'{name} {value}' for name, value in values.items())})"


def _recipe(recipe: Mapping[str, Any]) -> str:
    text = (
        f"{recipe['optimizer']} {recipe['learning_rate']:g}, "
        f"batch {recipe['batch_size']}, {recipe['epochs']} epochs"
    )
    for name in ("momentum", "weight_decay", "l2"):
        if recipe.get(name):
            text += f", {name.replace('_', ' ')} {recipe[name]:g}"
    return text
