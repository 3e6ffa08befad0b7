import json
from pathlib import Path

import pytest

from pipeline import splits
from pipeline.commands import recipes
from pipeline.lookup import ConfigurationError
from pipeline.report.figures_pba import divisions
from pipeline.report.paper_figures import Drawn
from tests.resources.evaluated import LABELS, add, add_division, drawn, read, sources_of

RECIPES = Path(__file__).parents[3] / "recipes"


def test_curves_scores_and_divisions_of_pba(tmp_path: Path) -> None:
    for name in ("PBA_1_Pconv", "PBA_a", "PBA_t"):
        old = name == "PBA_t"
        add(tmp_path, f"t-{name}", name, "ratio", "demo_zh", LABELS["pba"], folds=2, old=old)
    made = drawn(tmp_path, "pba", "demo_zh")
    rows = read(made, "fig7_curves")
    assert [row["epoch"] for row in rows[:3]] == ["1", "2", "3"]
    # Mean of the folds' 0.1 and 1.1, 0.2 and 1.2 …
    assert [float(row["train_wa"]) for row in rows[:3]] == pytest.approx([0.6, 0.7, 0.8])
    assert {row["train_wa"] for row in rows if row["system"] == "PBA_t"} == {""}
    assert "no training accuracy of t-PBA_t" in made.missing[0]
    values = {(row["system"], row["class"]): row["published"] for row in read(made, "fig8_f1")}
    assert values["PBA_1_Pconv", "positive"] == "71"
    assert "folds.parquet is missing" in made.missing[1]
    whole = [(0, "train", f"u{i}") for i in range(28)] + [(0, "valid", f"v{i}") for i in range(8)]
    add_division(tmp_path, "ratio", [*whole, *((0, "test", f"t{i}") for i in range(4))])
    path = tmp_path / "divisions.png"
    with pytest.raises(ConfigurationError, match="1 divisions of PBA_1_Pconv: `serflow use pba-d"):
        divisions(sources_of(tmp_path, "pba", "demo_zh"), path)
    half = [(0, subset, f"{subset}{i}") for subset in ("train", "valid", "test") for i in range(10)]
    add_division(tmp_path, "ratio-532", [*half, *((0, "train", f"w{i}") for i in range(7))])
    add(tmp_path, "pba-532", "PBA_1_Pconv", "ratio-532", "demo_zh", LABELS["pba"])
    add(tmp_path, "a", "PBA_1_Pconv", "ratio-532", "demo_zh", LABELS["pba"], training="other")
    assert divisions(sources_of(tmp_path, "pba", "demo_zh"), path) == []
    rows = read(Drawn([path], []), "divisions")
    assert [row["division"] for row in rows] == ["7:2:1", "5:3:3"]
    assert [row["experiment"] for row in rows] == ["t-PBA_1_Pconv", "pba-532"]
    # At the epoch that the folds chose, the second of three.
    assert float(rows[1]["training_wa"]) == pytest.approx(20)
    assert float(rows[0]["validation_wa"]) == pytest.approx(70)
    metrics = json.loads((tmp_path / "models" / "pba-532" / "metrics.json").read_text())
    assert float(rows[1]["test_wa"]) == pytest.approx(100 * metrics["wa"], rel=1e-5)


@pytest.mark.parametrize("corpus", ["demo_zh", "chsims"])
def test_the_divisions_differ_from_the_papers_table_in_the_split_alone(corpus: str) -> None:
    sections, table = (
        recipes.read(name, RECIPES) for name in (f"pba-{corpus}-divisions", f"pba-{corpus}")
    )
    for section in ("corpora", "acoustic", "text"):
        assert sections[section] == table[section]
    (base,) = table["experiments"].values()
    shares = []
    for experiment in sections["experiments"].values():
        assert {**experiment, "split": base["split"]} == base
        split = experiment["split"]
        shares.append(splits.settings(split, sections["splits"][split]).ratio)
    assert shares == [(0.8, 0.1, 0.1), (0.7, 0.2, 0.1), (0.6, 0.2, 0.2), (0.5, 0.3, 0.2)]
