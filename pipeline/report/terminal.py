"""The results in the terminal."""

from pathlib import Path

from pipeline.lookup import ConfigurationError
from pipeline.report import accounts, results
from pipeline.report.audit import declared
from pipeline.report.experiments import experiments, percent


def show(
    models_root: Path,
    data_root: Path,
    report: Path = Path("report/index.html"),
    only: str | None = None,
) -> None:
    """Prints a table for each corpus and split, and where plots and report are; `only`
    names a single experiment.
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    found = [item for item in experiments(models_root) if only in (None, item.name)]
    if not found:
        raise ConfigurationError(
            f"no experiment has been evaluated in {models_root}: run `dvc repro` first"
        )
    for (corpus, split), group in results.groups(found).items():
        title = f"{corpus}, {split} folds"
        if group[0].synthetic:
            title += f" ({group[0].synthetic})"
        if shared := declared(accounts.split_metrics(group[0], data_root)):
            title += f"; test and training {shared}"
        line = results.reference_line(group, data_root)
        table = Table(title=title, box=SIMPLE, padding=(0, 1), pad_edge=False)
        table.add_column("experiment", overflow="fold")
        table.add_column("network", overflow="fold")
        for name in ("UA %, 95 %", "WA %, 95 %"):
            table.add_column(name, no_wrap=True)
        table.add_column("best test epoch", style="dim", no_wrap=True)
        for item in group:
            scores, selected = item.metrics, item.metrics["test_selected"]
            ours = []
            for key in ("ua", "wa"):
                low, high = (percent(scores[f"{key}_ci95"][end]) for end in ("low", "high"))
                ours.append(f"[bold]{percent(scores[key])}[/]  {low}–{high}")
            others = f"{percent(selected['ua'])}  {percent(selected['wa'])}"
            name = escape(item.name) + ("" if item.validated else " [dim](no validation)[/]")
            if not item.reference and not line.beats(item):
                name += " [yellow](not above the reference)[/]"
            table.add_row(name, item.network, *ours, others)
        console.print(table)
        console.print(line.text, style="dim", markup=False)
    console.print(
        "95 %: bootstrap interval. Best test epoch: UA and WA of the epoch chosen on the test "
        "fold, as some papers report.",
        style="dim",
    )
    if report.is_file():
        console.print(f"Report: {report}")
    if any((report.parent / "plots").glob("*/*.png")):
        console.print(f"Plots:  {report.parent / 'plots'}")
    if Path("dvc.lock").is_file():
        console.print("Share:  git add dvc.lock data models && git commit, then dvc push")
