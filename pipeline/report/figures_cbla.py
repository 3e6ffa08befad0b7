"""Paper A: recall of each class by system (figures 5 and 6)."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.report import paper_charts
from pipeline.report.paper_sources import Sources, write_rows

UNIMODAL = ("S_DNN", "S_CNN", "S_CL", "S_CBLA", "T_LSTM", "T_BL")
MULTIMODAL = ("M_D_BL", "M_CL_BL", "M_CL_BLR", "M_CBLA_BL", "M_CBLA_BLR")


def unimodal(sources: Sources, path: Path) -> list[str]:
    """Figure 5, with the text systems of the same table."""
    return class_scores(sources, path, UNIMODAL, "recall", "one modality")


def multimodal(sources: Sources, path: Path) -> list[str]:
    """Figure 6."""
    return class_scores(sources, path, MULTIMODAL, "recall", "speech and text")


def class_scores(
    sources: Sources, path: Path, systems: Sequence[str], metric: str, what: str
) -> list[str]:
    """A score of each class ('recall' or 'f1'), a bar for each system."""
    picked, lines = sources.pick(systems)
    classes = next(iter(picked.values())).classes
    ours = {name: [100 * item.metrics[metric][c] for c in classes] for name, item in picked.items()}
    stated = {name: [sources.value(name, f"{metric}.{c}") for c in classes] for name in picked}
    label = "F1" if metric == "f1" else metric
    paper_charts.grouped_bars(
        path,
        classes,
        ours,
        stated,
        sources.published_label,
        f"{label} (%)",
        f"{label[0].upper()}{label[1:]} of each class, {what}: {sources.place(picked.values())}",
    )
    rows = [
        {
            "system": name,
            "experiment": item.name,
            "class": each,
            metric: ours[name][place],
            "published": stated[name][place],
        }
        for name, item in picked.items()
        for place, each in enumerate(classes)
    ]
    write_rows(path, rows)
    return lines


FIGURES = {"fig5_recall_unimodal": unimodal, "fig6_recall_multimodal": multimodal}
