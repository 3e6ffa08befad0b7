from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline import lookup
from pipeline.lookup import ConfigurationError
from pipeline.training.experiment import Experiment

INPUTS = dict.fromkeys(("corpus", "acoustic", "alignment", "text", "split"), "x")


def test_an_experiment_states_only_what_differs() -> None:
    published = lookup.system("TSIN").recipe  # type: ignore[attr-defined]
    assert Experiment(network="TSIN", **INPUTS).recipe == published
    shorter = Experiment(network="TSIN", training={"epochs": 2, "learning_rate": 0.5}, **INPUTS)
    assert shorter.recipe == replace(published, epochs=2, learning_rate=0.5)


def test_the_epoch_is_chosen_on_validation_unless_told_otherwise() -> None:
    chosen = Experiment(network="TSIN", **INPUTS)
    assert (chosen.select, chosen.normalization, chosen.seeds, chosen.device) == (
        "ua",
        "train",
        (0,),
        "auto",
    )


def test_mistakes_name_the_section() -> None:
    with pytest.raises(
        ConfigurationError, match=r"training: unknown key lr, expected one of \['batch_size'"
    ):
        _ = Experiment(network="TSIN", training={"lr": 1}, **INPUTS).recipe
    with pytest.raises(ConfigurationError, match="unknown network row 'TSIM'"):
        _ = Experiment(network="TSIM", **INPUTS).recipe
