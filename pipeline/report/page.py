"""report/index.html: one page without network, and the same results as Markdown and
CSV.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline import __version__
from pipeline.report import accounts, across, results
from pipeline.report.audit import Finding, badge, declared
from pipeline.report.card import card, count_of
from pipeline.report.comparison import p_value
from pipeline.report.experiments import Experiment, percent
from pipeline.report.inspector import PAGES
from pipeline.report.markup import environment, policy
from pipeline.report.pictures import CARD, Picture, pictures
from pipeline.tables import write_text


@dataclass(frozen=True)
class Group:
    """Experiments that can be compared, as templates/group.html shows them.

    not_compared: why they could not be, where their predictions do not fit together.
    """

    corpus: str
    split: str
    verdict: Finding
    declared: str
    line: results.ReferenceLine
    experiments: Sequence[Experiment]
    figures: list[Picture]
    pairs: Sequence[Mapping[str, Any]]
    not_compared: str | None


def write(
    found: Sequence[Experiment],
    data_root: Path,
    out: Path,
    undrawn: Mapping[str, Sequence[str]] | None = None,
) -> list[Path]:
    """Writes index.html, results.md and results.csv into `out`.

    The page shows the figures that lie in out/plots/; `undrawn` says by experiment why
    one is missing.
    """
    contents = {
        "index.html": html(found, data_root, out, undrawn or {}),
        "results.md": results.markdown(found, data_root),
        "results.csv": results.comma_separated(found, data_root),
    }
    for name, text in contents.items():
        write_text(out / name, text)
    return [out / name for name in contents]


def html(
    found: Sequence[Experiment],
    data_root: Path,
    out: Path,
    undrawn: Mapping[str, Sequence[str]],
) -> str:
    """The whole page; figures and pages of utterances are those that lie in `out`."""
    plots = out / "plots"
    made = environment(percent=percent, p_value=p_value, count_of=count_of)
    shown: set[bytes] = set()
    style, script = (made.get_template(name).render() for name in ("style.css", "page.js"))
    return made.get_template("page.html").render(
        policy=policy(style, script),
        title=count_of(len(found), "experiment"),
        version=__version__,
        synthetic=any(item.synthetic for item in found),
        groups=[
            _group(corpus, split, group, data_root, plots)
            for (corpus, split), group in results.groups(found).items()
        ],
        across=across.matrices(found, data_root),
        cards=[
            card(
                item,
                data_root,
                pictures(plots / item.name, CARD, shown),
                undrawn.get(item.name, ()),
                utterances_of(item, out),
            )
            for item in found
        ],
    )


def utterances_of(experiment: Experiment, out: Path) -> str | None:
    """The address of its page of utterances on the page, None where there is none."""
    parts = (PAGES, experiment.name, "index.html")
    return quote("/".join(parts)) if out.joinpath(*parts).is_file() else None


def _group(
    corpus: str, split: str, group: Sequence[Experiment], data_root: Path, plots: Path
) -> Group:
    captions = {
        f"comparison-{corpus}-{split}": "UA of each experiment with its 95 % interval",
        f"classes-{corpus}-{split}": "F1 of each class",
    }
    pairs: Sequence[Mapping[str, Any]] = ()
    not_compared = None
    try:
        pairs = results.comparisons(group, data_root)
    except ValueError as error:
        # Experiments of different states of a corpus: the rest of the page stands.
        not_compared = str(error)
    divided = accounts.split_metrics(group[0], data_root)
    return Group(
        corpus,
        split,
        badge(divided),
        declared(divided),
        results.reference_line(group, data_root),
        group,
        # What a single experiment scored stands in the table and on its card.
        pictures(plots, captions, set()) if len(group) > 1 else [],
        pairs,
        not_compared,
    )
