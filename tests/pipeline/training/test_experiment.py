from dataclasses import replace

import pytest

from pipeline import lookup, params
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
    assert (chosen.selected_by, chosen.normalized_by, chosen.seeds, chosen.device) == (
        "ua",
        "train",
        (0,),
        "auto",
    )


@pytest.mark.parametrize(
    ("network", "form", "trains"),
    [
        ("FG_CME", "paper", False),
        ("FG_CME", "released", True),
        ("LSTM_Attn_s", "released", True),
        ("LSTM_Attn_a", "released", False),
        ("T_BL", None, False),
    ],
)
def test_systems_say_whether_their_word_vectors_are_trained(
    network: str, form: str | None, trains: bool
) -> None:
    changes = {} if form is None else {"hyperparameters": {"form": form}}
    chosen = Experiment(network=network, **INPUTS, **changes)
    assert chosen.trains_embedding is trains
    for stated in (False, True):
        assert replace(chosen, train_embedding=stated).trains_embedding is stated


def test_normalization_is_the_systems_own_unless_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = Experiment(network="TSIN", **INPUTS)
    assert own.normalized_by == lookup.system("TSIN").normalization == "train"
    assert Experiment(network="TSIN", normalization="none", **INPUTS).normalized_by == "none"
    monkeypatch.setattr(lookup.system("TSIN"), "normalization", "none")
    assert own.normalized_by == "none"


def test_mistakes_name_the_section() -> None:
    with pytest.raises(
        ConfigurationError, match=r"training: unknown key lr, expected one of \['batch_size'"
    ):
        _ = Experiment(network="TSIN", training={"lr": 1}, **INPUTS).recipe
    with pytest.raises(ConfigurationError, match="unknown network 'TSIM'"):
        _ = Experiment(network="TSIM", **INPUTS).recipe


@pytest.mark.parametrize(
    ("network", "inputs", "said"),
    [
        ("TSIN", {"acoustic": "waveform", "text": "bert"}, "TSIN reads frames"),
        ("CMA_raw", {"acoustic": "fbank", "text": "glove"}, "CMA_raw reads samples"),
        ("TSIN_glove", {"acoustic": "fbank", "text": "bert"}, "TSIN_glove is defined on glove"),
        ("LSTM_Attn_a", {"acoustic": "fbank", "text": "glove"}, "LSTM_Attn_a does not read it"),
        ("FG_CME", {"acoustic": "fbank", "text": "glove"}, "FG_CME needs it"),
    ],
)
def test_inputs_of_another_kind_are_refused(
    network: str, inputs: dict[str, str], said: str
) -> None:
    document = {
        "corpora": {"manifest": {"root": "x"}},
        "acoustic": {"fbank": {}, "waveform": {}},
        "alignment": {"uniform": {"chain": {"uniform": {}}}},
        "text": {"bert": {}, "glove": {"path": "x"}},
        "splits": {"random": {"labels": {"sad": "sad", "angry": "angry"}}},
        "experiments": {"x": {"corpus": "manifest", "network": network, "split": "random"}},
    }
    document["experiments"]["x"] |= inputs
    with pytest.raises(ConfigurationError, match=said):
        params.check(document)
