"""`serflow compare`: experiments against each other on the utterances that all of them
tested, a sentence for each pair.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.evaluation import significance
from pipeline.lookup import ConfigurationError, shown
from pipeline.report import accounts
from pipeline.report.experiments import Experiment, experiments

RESAMPLES = 10_000


def compare(
    names: Sequence[str], models_root: Path, data_root: Path, margin: float | None = None
) -> list[dict[str, Any]]:
    """Every pair of the named experiments, as `significance.compare_all` gives it, and
    its `sentence`; `margin` in points of UA.

    Raises ConfigurationError for names that are not there, and for experiments that
    have no utterance in common or other labels for it.
    """
    known = {item.name: item for item in experiments(models_root)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(
            f"no evaluated experiment {shown(unknown[0])} in {models_root}, expected one of "
            f"{sorted(known)}"
        )
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigurationError(f"{list(names)}: name two experiments or more, each once")
    if margin is not None and not 0 < margin < 100:
        raise ConfigurationError(
            f"--noninferior {margin:g}: points of UA that do not matter, more than 0, as in 1.0"
        )
    chosen = [known[name] for name in names]
    for item in chosen:
        if not (item.folder / "predictions.parquet").is_file():
            raise ConfigurationError(
                f"{item.name}: {item.folder / 'predictions.parquet'} is missing, `dvc pull` or "
                f"`dvc repro evaluate@{item.name}` brings it"
            )
    _require_shared(chosen)
    speakers = accounts.speakers(chosen[0], data_root)
    # The smallest p of a bootstrap, times the number of pairs, stays below 0.01.
    resamples = max(RESAMPLES, 100 * len(names) * (len(names) - 1))
    tables = {item.name: item.predictions for item in chosen}
    share = None if margin is None else margin / 100
    try:
        pairs = significance.compare_all(tables, speakers, resamples, margin=share)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return [{**pair, "sentence": sentence(pair)} for pair in pairs]


def sentence(pair: Mapping[str, Any]) -> str:
    """What a comparison found, in words; p values as Holm adjusts them."""
    ua = pair["ua_difference"]
    better, other = pair["second"], pair["first"]
    sign = 1.0
    if ua["value"] < 0:
        better, other, sign = other, better, -1.0
    low, high = sorted((sign * ua["low"], sign * ua["high"]))
    size = f"{100 * abs(ua['value']):.1f} points of UA"
    measured = (
        f"95 % interval {100 * low:+.1f} to {100 * high:+.1f}, p {p_value(ua['p_holm'])}, "
        f"{pair['n']} utterances, {pair['units']} {pair['resampled']} drawn"
    )
    if pair["resampled"] == "utterances":
        measured = measured.replace(f", {pair['n']} utterances drawn", " drawn")
    if ua["p_holm"] < significance.LEVEL:
        text = f"{better} is better than {other} by {size} ({measured})."
        p = pair["mcnemar"]["p_holm"]
        if p >= significance.LEVEL:
            text += f" McNemar's test, which counts utterances alone, does not show it (p {p:.3f})."
    elif ua["needed"] is None:
        text = f"{better} and {other} have the same UA ({measured})."
    else:
        text = (
            f"{better} and {other} are not shown to differ: {better} is {size} higher "
            f"({measured}). A difference of this size would show in about {ua['needed']:,} test "
            "utterances."
        )
    if "noninferior" in pair:
        margin = f"{100 * pair['noninferior']['margin']:g}"
        points = f"{margin} point" if margin == "1" else f"{margin} points"
        p = pair["noninferior"]["p_holm"]
        shown_to_be = "" if p < significance.LEVEL / 2 else "not shown to be "
        text += f" {other} is {shown_to_be}worse by less than {points} (one-sided p {p_value(p)})."
    return text


def p_value(value: float) -> str:
    """'0.012', '< 0.001'."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def show(pairs: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Prints the pairs as a table and their sentences, or as JSON."""
    if as_json:
        print(json.dumps(pairs, indent=1, ensure_ascii=False))
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    for name in ("experiment", "against"):
        table.add_column(name, overflow="fold")
    for name in ("UA points, 95 %", "p", "WA points, 95 %", "p"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("McNemar: only it, only other, p", justify="right")
    table.add_column("utterances needed", justify="right")
    for pair in pairs:
        cells = [pair["second"], pair["first"]]
        for key in ("ua_difference", "wa_difference"):
            found = pair[key]
            value, low, high = (f"{100 * found[end]:+.1f}" for end in ("value", "low", "high"))
            cells += [f"{value}  {low} to {high}", p_value(found["p_holm"])]
        test, needed = pair["mcnemar"], pair["ua_difference"]["needed"]
        cells.append(f"{test['only_second']}, {test['only_first']}, {p_value(test['p_holm'])}")
        cells.append("–" if needed is None else f"{needed:,}")
        table.add_row(*cells)
    console = Console(markup=False, highlight=False)
    console.print(table)
    for pair in pairs:
        console.print(pair["sentence"], soft_wrap=True)
    count = len(pairs)
    adjusted = f"P values are Holm-adjusted for {count} pairs. " if count > 1 else ""
    console.print(
        f"{adjusted}All folds together, mean over seeds, each at the epoch that validation chose "
        "(the last without validation). Utterances needed: so that four of five tests show the "
        "difference found in UA at p < 0.05.",
        style="dim",
    )


def _require_shared(chosen: Sequence[Experiment]) -> None:
    """One sentence for what cannot be compared, before a bootstrap is drawn."""
    for first, second in itertools.combinations(chosen, 2):
        if first.corpus != second.corpus:
            raise ConfigurationError(
                f"{first.name} is tested on {first.corpus}, {second.name} on {second.corpus}: only "
                "experiments on one corpus can be compared"
            )
        if first.classes != second.classes:
            raise ConfigurationError(
                f"{first.name} tells apart {first.classes}, {second.name} {second.classes}: only "
                "experiments with one label scheme can be compared"
            )
