"""What somebody asks of an experiment, and the clicks that answer it; each begins at
the report's first page.
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.tables import read_utterances
from tests.resources.browser import column, opened, until


def predictions(project: Path, experiment: str) -> list[dict[str, Any]]:
    path = project / "models" / experiment / "predictions.parquet"
    return list(pq.read_table(path).to_pylist())


def mistakes(browser: Any, project: Path, experiment: str, truth: str, called: str) -> str:
    """Which utterances of a class are called another one? What does the worst of them
    sound like? Which word did the gates let through most, and how does its alignment
    lie? Returns the worst one's id.
    """
    rows = [
        row
        for row in predictions(project, experiment)
        if (row["label"], row["predicted"]) == (truth, called)
    ]
    worst = max if truth != called else min
    first = worst(rows, key=lambda row: row[f"p_{called}"])["utterance_id"]
    with opened(browser, project / "report" / "index.html") as page:
        matrix = page.get_by_role("region", name=f"Confusion matrix of {experiment}", exact=True)
        matrix.get_by_label(f"{truth} utterances called {called}").click()
        page.wait_for_selector("#utterances tbody tr")
        assert page.locator("#count").inner_text().startswith(f"{len(rows)} of ")
        shown = column(page, "utterance")
        assert shown[0] == first and set(shown) <= {row["utterance_id"] for row in rows}
        page.get_by_role("link", name=first, exact=True).click()
        page.wait_for_selector(".tracks rect[data-word]")
        until(page, "document.querySelector('audio').readyState >= 1")
        page.locator(".spoken button").first.click()
        until(page, "document.querySelector('audio').currentTime > 0.02")
        assert page.evaluate("document.querySelector('audio').error") is None
        words = page.locator(".spoken button").all_inner_texts()
        assert page.locator(".tracks rect[data-word]").count() == len(words)
        for key in ("acoustic_gate/words", "semantic_gate/words"):
            assert page.locator(f'li[data-weight="{key}"] b').inner_text() in words
        assert "the check finds" in page.locator("#alignment").inner_text()
    return str(first)


def speaker(browser: Any, project: Path, experiment: str) -> str:
    """Who is the speaker that the experiment fails on? Returns the name."""
    rows = predictions(project, experiment)
    corpus = project / "data" / "utterances" / "demo" / "utterances.parquet"
    known = {item.utterance_id: str(item.speaker) for item in read_utterances(corpus)}
    right: dict[str, list[bool]] = {}
    for row in rows:
        right.setdefault(known[row["utterance_id"]], []).append(row["label"] == row["predicted"])
    worst = min(sum(values) / len(values) for values in right.values())
    with opened(browser, project / "report" / "index.html") as page:
        card = page.locator("article", has=page.get_by_role("heading", name=experiment, exact=True))
        card.get_by_role("link", name="Utterances:").click()
        page.wait_for_selector("#worst a")
        name = str(page.locator("#worst a").inner_text())
        assert sum(right[name]) / len(right[name]) == worst
    return name
