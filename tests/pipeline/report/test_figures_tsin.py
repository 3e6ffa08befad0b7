from pathlib import Path

import numpy as np
import pytest

from pipeline import folders, tables
from pipeline.report import figures_tsin, stated
from pipeline.report.figures_tsin import EMBEDDINGS, VECTORS
from pipeline.schema import Utterance
from tests.resources.evaluated import FOUR, add, add_division, drawn, give_vectors, read


def sessions(root: Path) -> None:
    """Eight utterances by two speakers in each of two sessions, and their splits."""
    made = [
        Utterance(
            f"u{i}", "demo", FOUR[i % 4], session=f"Ses0{1 + i // 4}",
            speaker=f"Ses0{1 + i // 4}_{'MF'[i // 2 % 2]}", words=("no",),
        )
        for i in range(8)
    ]  # fmt: skip
    corpus = folders.utterances(root / "data", "demo")
    tables.write_utterances(corpus / folders.UTTERANCES, made)
    for split, size in (("session", 4), ("speaker", 2)):
        rows = [
            (fold, "test" if i // size == fold else "train", f"u{i}")
            for fold in range(8 // size)
            for i in range(8)
        ]
        add_division(root, split, rows)


def test_every_session_and_speaker_of_tsin_by_name(tmp_path: Path, text_in_svg: None) -> None:
    sessions(tmp_path)
    for split, folds in (("session", 2), ("speaker", 4), ("random", 3)):
        add(tmp_path, f"{split}-TSIN", "TSIN", split, folds=folds)
    made = drawn(tmp_path, "tsin")
    rows = read(made, "table1_folds")
    assert [(row["protocol"], row["test_set"]) for row in rows] == [
        *(("SesI", f"Ses0{n}") for n in (1, 2)),
        *(("SpkI", f"Ses0{n}_{letter}") for n in (1, 2) for letter in "FM"),
        *(("SpkD", f"group {n}") for n in (1, 2, 3)),
    ]
    # Fold 0 of the speakers tests the man of the first session.
    man = rows[3]
    assert (man["fold"], float(man["wa"]), float(man["ua"])) == ("0", 50.0, 40.0)
    assert (man["published_wa"], man["published_ua"]) == ("75.9", "80.2")
    assert rows[1]["published_ua"] == "82" and rows[6]["published_wa"] == ""
    svg = (tmp_path / "out" / "tsin-demo" / "table1_folds.svg").read_text()
    assert "SpkD: mean WA 51.0, UA 41.0" in svg


def test_five_embeddings_and_three_figures_of_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_vectors(monkeypatch)
    for name in EMBEDDINGS:
        add(tmp_path, f"ses-{name}", name, "session-merged")
    for name in VECTORS:
        add(tmp_path, f"spk-{name}", name, "speaker-merged")
    made = drawn(tmp_path, "tsin")
    rows = read(made, "fig4_embeddings")
    assert [row["embedding"] for row in rows if row["protocol"] == "SesI"] == [*EMBEDDINGS.values()]
    assert [row["published_ua"] for row in rows] == ["76.64", "", "", "", "", "78.11"]
    assert {row["system"] for row in read(made, "fig6_tsne_speaker")} == set(VECTORS)
    missing = "\n".join(made.missing)
    assert "SpkI: no TSIN_glove, TSIN_googlenews, TSIN_fasttext, TSIN_onehot: " in missing
    assert "`serflow table tsin --corpus demo-speaker --systems TSIN_glove," in missing
    assert "fig7_tsne_random: no Speech, Text, TSIN: `serflow table tsin" in missing


def test_published_folds_have_the_printed_means() -> None:
    found = figures_tsin.published_folds()
    printed = {
        item.split: item.value
        for item in stated.published("tsin")
        if (item.system, item.metric) == ("TSIN", "ua")
    }
    for split, number in (("session", 5), ("speaker", 10), ("random", 10)):
        values = [value for (own, _, key), value in found.items() if (own, key) == (split, "ua")]
        assert len(values) == number
        assert np.mean(values) == pytest.approx(printed[split], abs=0.006)
