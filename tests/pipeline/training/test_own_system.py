import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import lookup
from pipeline.training import checkpoint
from pipeline.training.inputs import Folders
from tests.resources import fabricated, own_network


def test_a_module_that_belongs_to_no_paper_trains_and_comes_back(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = lookup.names
    monkeypatch.setitem(sys.modules, "pipeline.networks.own", own_network)
    monkeypatch.setattr(
        lookup, "names", lambda kind: names(kind) + (["own"] if kind == "networks" else [])
    )
    monkeypatch.setitem(fabricated.SMALL, "MeanPool", {"width": 4})
    made = fabricated.train(tmp_path, inputs["FG_CME"], "MeanPool", alignment=None)
    assert set(made) == {
        "checkpoint.json",
        "checkpoint.safetensors",
        "history.csv",
        "probabilities.parquet",
    }
    written = pq.read_table(tmp_path / "out" / "probabilities.parquet")
    assert set(written["epoch"].to_pylist()) == {1, 2, 3, 4}
    network, _, description = checkpoint.load(tmp_path / "out")
    assert not hasattr(network, "embed")
    assert description["experiment"]["network"] == "MeanPool"
