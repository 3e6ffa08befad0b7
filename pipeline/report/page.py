"""report/index.html: one page without network, and the same results as Markdown and
CSV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from pipeline import __version__
from pipeline.report import accounts, results, svg
from pipeline.report.audit import badge
from pipeline.report.card import CAPTIONS, card
from pipeline.report.experiments import Experiment, experiments, percent

PICTURE_LIMIT = 2**21  # bytes; a larger file would make the page slow to open
BANNER = (
    '<p class="banner"><b>Synthetic speech.</b> No human being speaks in the demo corpora. Their scores say that the '
    "machinery works, and nothing about emotion recognition.</p>"
)
SELECTION = """<details><summary>Why two figures for each experiment?</summary>
<p>A network is better in some epochs than in others. In the headline an inner validation set, part of the training
fold, chose the epoch: the test fold had no say. The grey figure takes the epoch that is best <em>on the test fold</em>,
which some papers report. It is what one gets by looking at the answers: always as high or higher, and no system in use
reaches it. It stands here for comparing with such papers only.</p>
<p>WA is the share of utterances that are right, UA the mean of the classes' recalls; both are means over folds and
seeds. The line is the 95 % interval, from drawing whole speakers where five or more are known, else utterances.</p>
</details>"""


def write(models_root: Path, data_root: Path, out: Path) -> list[Path]:
    """Writes index.html, results.md and results.csv into `out`, from the experiments
    evaluated below `models_root`.

    The page shows t-SNE, alignment and feature pictures of each experiment that lie in
    out/plots/<experiment>/.
    """
    found = experiments(models_root)
    contents = {
        "index.html": html(found, data_root, out / "plots"),
        "results.md": results.markdown(found, data_root),
        "results.csv": results.comma_separated(found),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (out / f"{name}.part").write_text(text, encoding="utf-8")
        (out / f"{name}.part").replace(out / name)
    return [out / name for name in contents]


def html(found: Sequence[Experiment], data_root: Path, pictures: Path) -> str:
    """The whole page; `pictures` has a folder of PNG files for each experiment."""
    parts = [BANNER] if any(item.synthetic for item in found) else []
    if not found:
        parts.append(
            '<p class="note">No experiment has been evaluated yet: <code>dvc repro</code> builds them.</p>'
        )
    for number, ((corpus, split), group) in enumerate(results.groups(found).items()):
        audit = accounts.read_json(accounts.split_folder(group[0], data_root) / "metrics.json")
        verdict = badge(audit)
        parts.append(
            f"<h2>{escape(corpus)} <small>{escape(split)} folds</small> "
            f'<span class="badge {verdict.state}">{escape(verdict.text)}</span></h2>'
        )
        parts.append(_table(group))
        parts.append(SELECTION if number == 0 else "")
        try:
            parts.append(_comparisons(results.comparisons(group, data_root)))
        except ValueError as error:
            # Experiments of different states of a corpus: the rest of the page still
            # stands.
            parts.append(
                f'<p class="note warn">Not compared: {escape(str(error))}; <code>dvc repro</code> mends it.</p>'
            )
    shown: set[bytes] = set()
    parts += [card(item, data_root, _pictures(pictures / item.name, shown)) for item in found]
    title = f"{len(found)} experiment{'s' if len(found) != 1 else ''}"
    page = Template((resources.files("pipeline.report") / "page.html").read_text(encoding="utf-8"))
    style = (resources.files("pipeline.report") / "style.css").read_text(encoding="utf-8")
    footer = (
        f"SERflow {__version__} · results.md and results.csv beside this page hold the same figures"
    )
    return page.substitute(title=title, style=style, content="\n".join(parts), footer=footer)


def _pictures(folder: Path, shown: set[bytes]) -> list[Path]:
    """Pictures of a folder that a card has a caption for and that stand on no card
    before: a corpus's are all alike.
    """
    paths = []
    for path in sorted(folder.glob("*.png")):
        content = path.read_bytes()
        if path.stem in CAPTIONS and len(content) <= PICTURE_LIMIT and content not in shown:
            shown.add(content)
            paths.append(path)
    return paths


def _table(group: Sequence[Experiment]) -> str:
    bounds = _bounds(group)
    head = (
        '<th>experiment</th><th>network</th><th class="number">UA</th><th>95 % interval</th><th class="number">WA</th>'
        '<th></th><th class="number grey">best test epoch: UA</th><th class="number grey">WA</th>'
        '<th class="number">tested</th><th class="number">folds × seeds</th>'
    )
    rows = ""
    for item in group:
        scores, selected = item.metrics, item.metrics["test_selected"]
        low, high = scores["ua_ci95"]["low"], scores["ua_ci95"]["high"]
        wa_low, wa_high = scores["wa_ci95"]["low"], scores["wa_ci95"]["high"]
        rows += (
            f'<tr><td><a href="#{escape(item.name, quote=True)}">{escape(item.name)}</a></td>'
            f'<td>{escape(item.network)}</td><td class="number head">{percent(scores["ua"])}</td>'
            f'<td data-value="{low:.4f}">{svg.interval(scores["ua"], low, high, selected["ua"], bounds)} '
            f'<span class="ci">{percent(low)}–{percent(high)}</span></td>'
            f'<td class="number head">{percent(scores["wa"])}</td>'
            f'<td class="ci">{percent(wa_low)}–{percent(wa_high)}</td>'
            f'<td class="number grey">{percent(selected["ua"])}</td>'
            f'<td class="number grey">{percent(selected["wa"])}</td>'
            f'<td class="number">{scores["n"]}</td><td class="number">{scores["folds"]} × {scores["seeds"]}</td></tr>'
        )
    return f'<div class="scroll"><table class="results"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _bounds(group: Sequence[Experiment]) -> tuple[float, float]:
    """One scale for a group, from the lowest to the highest figure drawn."""
    lows = [item.metrics["ua_ci95"]["low"] for item in group]
    highs = [
        max(item.metrics["ua_ci95"]["high"], item.metrics["test_selected"]["ua"]) for item in group
    ]
    return min(lows), max(highs)


def _comparisons(pairs: Sequence[Mapping[str, Any]]) -> str:
    if not pairs:
        return ""
    rows = ""
    for pair in pairs:
        ua, mcnemar = pair["ua_difference"], pair["mcnemar"]
        sure = ua["p_holm"] < 0.05
        rows += (
            f"<tr><td>{escape(pair['second'])}</td><td>{escape(pair['first'])}</td>"
            f'<td class="number {"head" if sure else ""}">{100 * ua["value"]:+.1f}</td>'
            f'<td class="ci">{100 * ua["low"]:+.1f} to {100 * ua["high"]:+.1f}</td>'
            f'<td class="number">{_p(ua["p_holm"])}</td><td class="number">{_p(mcnemar["p_holm"])}</td>'
            f'<td class="number grey">{mcnemar["only_second"]} : {mcnemar["only_first"]}</td>'
            f'<td class="{"good" if sure else "unknown"}">{"differ" if sure else "not shown to differ"}</td></tr>'
        )
    head = (
        '<th>experiment</th><th>against</th><th class="number">UA points</th><th>95 % interval</th>'
        '<th class="number">p, bootstrap</th><th class="number">p, McNemar</th>'
        '<th class="number">only it right : only other</th><th></th>'
    )
    note = (
        f"The same {pairs[0]['n']} utterances, all folds together; {pairs[0]['resampled']} drawn. "
        f"P values are Holm-adjusted for {len(pairs)} comparison{'s' if len(pairs) > 1 else ''}."
    )
    return (
        f"<details open><summary>Which differences are more than luck?</summary><p>{note}</p></details>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _p(value: float) -> str:
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"
