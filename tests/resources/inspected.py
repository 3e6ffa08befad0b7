"""A report with the utterances of a small corpus: FG_CME of two epochs on 24 hums, two
folds, and a page of many utterances without recordings.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.report import inspector, page, utterance_page
from pipeline.report.experiments import experiments
from pipeline.schema import Utterance
from tests.resources import small_corpus

EXPERIMENT = "small"
RUN = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


def build(folder: Path) -> Path:
    """Corpus, data, models and the report, without figures; returns the last one's
    folder.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_corpus.run_stages(monkeypatch, folder)
        return again(folder, "report", ["manifest"])


def again(folder: Path, name: str, audible: Sequence[str]) -> Path:
    found, data, out = experiments(folder / "models"), folder / "data", folder / name
    assert inspector.write(found, data, out, audible) == {}
    page.write(found, data, out)
    return out


def many(folder: Path, count: int) -> Path:
    """A page of `count` utterances in four classes by ten speakers, one of whom has a
    name that tries to be code; returns index.html.
    """
    generator, classes = np.random.default_rng(0), ["angry", "happy", "neutral", "sad"]
    words = [f"word{number}" for number in range(400)]
    lines = []
    for number in range(count):
        said = " ".join(generator.choice(words, 8))
        speaker = f"s{number % 10}" if number % 10 else RUN
        utterance = Utterance(
            f"u{number:05d}", "made", "", speaker=speaker, transcript=said, duration=number / 1000
        )
        shares = generator.dirichlet(np.ones(4))
        lines.append(utterance_page.row(utterance, number % 4, shares, number % 5))
    values = {
        "experiment": "many",
        "network": "FG_CME",
        "alignment": None,
        "classes": classes,
        "recordings": "recordings",
        "single": False,
        "unseen": None,
        "rows": lines,
    }
    context = {
        "name": "many",
        "lead": "FG_CME on made",
        "report": None,
        "synthetic": False,
        "classes": classes,
        "counts": None,
        "shown": None,
    }
    return utterance_page.write_files(folder, values, context)
