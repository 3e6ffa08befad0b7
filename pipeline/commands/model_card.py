"""What has to be known of a trained model by whoever gets it."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline import __version__, folders, lookup
from pipeline.corpora import Licence
from pipeline.lookup import ConfigurationError
from pipeline.report import accounts, audit
from pipeline.report.card import facts
from pipeline.report.experiments import Experiment, experiments, percent

NOT_FOR = (
    "Do not decide about people by it: not on their health, employment, schooling, credit, "
    "policing, or whether they tell the truth. In the European Union emotion recognition at work "
    "and in schools is prohibited (Regulation 2024/1689, article 5).",
    "It gives probabilities of the labels that a corpus's annotators or actors were given. It does "
    "not measure what a person feels.",
    "It was tried on the corpus named above and on no other. Other voices, languages, rooms, "
    "microphones and spontaneous speech are likely to give lower scores.",
)
REFIT = (
    "One network that every labelled utterance of the corpus trained (`--refit`), for as many "
    "epochs as the folds chose on average."
)
SYNTHETIC = (
    "**The corpus is {}.** No human being speaks in that: the model shows that the "
    "pipeline works and is of no use on recordings of people."
)


def card(
    name: str,
    models: Path,
    data: Path,
    loaded: Sequence[tuple[Path, Any, Any, dict[str, Any]]],
    refit: bool = False,
) -> str:
    """The card of an evaluated experiment as Markdown; `loaded` as
    `checkpoint.load_all` gives it, `refit`: one network on everything in its place.

    Raises ConfigurationError where it was not evaluated.
    """
    found = next((item for item in experiments(models) if item.name == name), None)
    if found is None:
        raise ConfigurationError(
            f"{models / name / folders.METRICS} is missing: the card states the score, run "
            f"`dvc repro evaluate@{name}`"
        )
    description = loaded[0][3]
    classes = ", ".join(description["classes"])
    facts_of = facts(found)
    lines = [f"# {name}", ""]
    if found.synthetic:
        lines += [SYNTHETIC.format(found.synthetic), ""]
    lines += [
        f"Probabilities of {classes} for an utterance, by the system {found.network}, trained on "
        f"{found.corpus} with SERflow {__version__}.",
        "",
        "```sh",
        f"serflow predict recording.wav{_text(description)} --model .   # in this folder",
        "```",
        "",
        "## What it is",
        "",
        REFIT if refit else _networks(len(loaded)),
        "",
        *(f"- {heading}: {said}" for heading, said in facts_of.items()),
        *_needs(description),
        "",
        "## How well it does",
        "",
        *_scores(found, refit, len(loaded) == 1 and not refit),
        "",
        *(f"- {item.text}" for item in audit.findings(accounts.split_metrics(found, data))),
        "",
        "## Where it comes from",
        "",
        *_licence(found.corpus),
        "",
        "## What it must not be used for",
        "",
        *(f"- {said}" for said in NOT_FOR),
    ]
    return "\n".join(lines) + "\n"


def _text(description: dict[str, Any]) -> str:
    return ' --text "what is said"' if "text" in description else ""


def _networks(number: int) -> str:
    if number == 1:
        return "One network, that of the only fold: the test part of the corpus trained nothing."
    return (
        f"The mean of {number} networks, one for each fold and seed: each was trained without its "
        "own test part, so every utterance of the corpus trained most of them."
    )


def _scores(found: Experiment, refit: bool, alone: bool) -> list[str]:
    tried = "this network" if refit else "the mean of all folds"
    scores, lines = found.metrics, ["| | % | 95 % interval |", "| --- | ---: | --- |"]
    for key, said in (("ua", "UA, mean recall of the classes"), ("wa", "WA, accuracy")):
        low, high = (percent(scores[f"{key}_ci95"][end]) for end in ("low", "high"))
        lines.append(f"| {said} | {percent(scores[key])} | {low} to {high} |")
    for name, value in scores["recall"].items():
        lines.append(f"| recall of {name} | {percent(value)} | |")
    of_what = f"(split {found.split}, {scores['n']} utterances)"
    if alone:
        said = f"This network on utterances that did not train it {of_what}."
    else:
        said = (
            f"Single networks on utterances that did not train them {of_what}: "
            f"{tried} was not tried, for no utterance is new to it."
        )
    return [*lines, "", said]


def _licence(corpus: str) -> list[str]:
    module = lookup.component("corpora", corpus)
    licence: Licence = module.LICENCE
    page = f" ({licence.url})" if licence.url else ""
    lines = [f"- corpus: {corpus}, licence: {licence.name}{page}"]
    if not licence.redistribution:
        lines.append(
            "- The licence of the corpus restricts what is made of it: do not give this folder to "
            "others unless your terms allow it."
        )
    citation = (module.__doc__ or "").partition("Citation:")[2].partition("\n\n")[0]
    if citation.strip() not in ("", "none.", "yours."):
        lines.append(f"- citation: {' '.join(citation.split())}")
    return lines


def _needs(description: dict[str, Any]) -> list[str]:
    """Pretrained models that are no files of the folder."""
    lines = []
    for section in ("acoustic", "text"):
        if section in description:
            name = description[section]["name"]
            config = lookup.settings(section, name, description[section]["config"])
            if "model" in {item.name for item in fields(config)}:
                lines.append(f"- needs: the pretrained model {config.model} ({section} {name})")
    for aligner, settings in description.get("alignment", {}).get("chain", {}).items():
        model = (settings or {}).get("model")
        if model:
            lines.append(f"- needs: the pretrained model {model} (alignment {aligner})")
        if aligner == "mfa":
            lines.append("- needs: the external program mfa (`serflow doctor`)")
    return lines
