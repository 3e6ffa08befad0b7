import shutil
from pathlib import Path

import pytest

from pipeline import params as parameters
from pipeline.commands.vary import vary
from pipeline.lookup import ConfigurationError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))


def test_an_experiment_is_varied_under_another_name(params_file: Path) -> None:
    before = parameters.load(params_file).document["experiments"]["fg_cme-demo"]
    changes = ["network=LSTM_Attn_s", "training.epochs=3", "seeds=[0, 1]"]
    assert vary(params_file, "fg_cme-demo", "words-demo", changes) == ["words-demo"]
    after = parameters.load(params_file)
    assert after.document["experiments"]["fg_cme-demo"] == before
    assert after.document["experiments"]["words-demo"] == {
        **{key: before[key] for key in ("corpus", "text", "split", "hyperparameters")},
        "network": "LSTM_Attn_s",
        "seeds": [0, 1],
        "training": {**before["training"], "epochs": 3},
    }


@pytest.mark.parametrize(
    ("experiment", "changes", "said"),
    [
        ("fg_cme", ["seeds=[1]"], "unknown experiment 'fg_cme', expected one of"),
        ("fg_cme-demo", ["seeds"], "expected key=value"),
        ("fg_cme-demo", ["training.=1"], "expected key=value"),
        ("fg_cme-demo", ["corpus.root=1"], "corpus is no section"),
        ("fg_cme-demo", ["network=FG_CMEE"], "unknown network 'FG_CMEE'"),
        ("fg_cme-demo", ["seeds=[1"], "is no value"),
        ("tsin-demo", ["network=FG_CME"], "tsin2.alignment: FG_CME needs it"),
    ],
)
def test_a_variation_that_would_be_wrong_changes_nothing(
    params_file: Path, experiment: str, changes: list[str], said: str
) -> None:
    before = params_file.read_text()
    with pytest.raises(ConfigurationError, match=said):
        vary(params_file, experiment, "tsin2", changes)
    assert params_file.read_text() == before
