from __future__ import annotations

import ast
import json
import tokenize
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import lookup
from pipeline.batch import Example, Sizes, collate
from pipeline.training import checkpoint
from pipeline.training.dataset import Fitted
from tests.resources import fabricated

ROOT = Path(__file__).parents[2]
SIZES = Sizes(feature_dim=1, word_dim=3, vocabulary_size=3, num_classes=3)
FITTED = Fitted(
    np.array([0.1], np.float32),
    np.array([1 / 3], np.float32),
    ("no", "yés"),
    np.eye(2, 3, dtype=np.float32),
)


def example() -> Example:
    generator = torch.Generator().manual_seed(3)
    return Example(
        "u",
        torch.randn(1500, 1, generator=generator),
        torch.randn(2, 3, generator=generator),
        torch.tensor([1, 2]),
        torch.tensor([[0, 20], [20, 900]]),
    )


@pytest.mark.parametrize("network", sorted(fabricated.SMALL))
def test_a_network_comes_back_with_the_same_logits(tmp_path: Path, network: str) -> None:
    torch.manual_seed(0)
    built = lookup.system(network)(SIZES, **fabricated.SMALL[network])
    built.train()
    with torch.no_grad():  # moves the statistics of batch norms
        built(collate([example(), example()]))
    built.eval()
    description = {
        "experiment": asdict(fabricated.experiment(network)),
        "classes": ["a", "b", "c"],
        "fold": 1,
    }
    checkpoint.save(tmp_path, built, FITTED, SIZES, description)
    loaded, fitted, read = checkpoint.load(tmp_path)
    batch = collate([example()])
    with torch.no_grad():
        assert torch.equal(loaded(batch), built(batch))
    assert not loaded.training
    assert fitted.vocabulary == FITTED.vocabulary
    for name in ("mean", "deviation", "table"):
        np.testing.assert_array_equal(getattr(fitted, name), getattr(FITTED, name))
    assert {name: read[name] for name in description} == json.loads(json.dumps(description))
    assert set(read["versions"]) == {"serflow", "torch", "python"}


@pytest.mark.parametrize("network", sorted(lookup.systems()))
def test_every_row_can_be_written(network: str) -> None:
    """safetensors refuses tensors that share memory."""
    built = lookup.system(network)(SIZES)
    state = built.state_dict()
    pointers = [value.untyped_storage().data_ptr() for value in state.values() if value.numel()]
    assert len(pointers) == len(set(pointers))


def test_nothing_fitted_is_nothing_loaded(tmp_path: Path) -> None:
    built = lookup.system("LSTM_Attn_a")(SIZES, hidden_size=2)
    experiment = {"network": "LSTM_Attn_a", "hyperparameters": {"hidden_size": 2}}
    checkpoint.save(
        tmp_path, built, Fitted(None, None, (), None), SIZES, {"experiment": experiment}
    )
    assert checkpoint.load(tmp_path)[1] == Fitted(None, None, (), None)


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        torch.manual_seed(0)
        built = lookup.system("LSTM_Attn_a")(SIZES, hidden_size=2)
        checkpoint.save(tmp_path / name, built, FITTED, SIZES, {"experiment": {}})
    assert fabricated.files(tmp_path / "a") == fabricated.files(tmp_path / "b")


@pytest.mark.parametrize("missing", [checkpoint.WEIGHTS, checkpoint.DESCRIPTION])
def test_half_a_checkpoint_says_what_is_missing(tmp_path: Path, missing: str) -> None:
    for name in {checkpoint.WEIGHTS, checkpoint.DESCRIPTION} - {missing}:
        (tmp_path / name).write_text("{}")
    with pytest.raises(
        FileNotFoundError, match=f"{missing} is missing, expected a folder written by training"
    ):
        checkpoint.load(tmp_path)


def test_state_comes_back_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "scratch" / "state.safetensors"
    assert checkpoint.read_state(path) is None
    tensors = {
        "step": torch.tensor(3.0),
        "weights": torch.randn(4, 3).t(),
        "empty": torch.zeros(0, 2),
    }
    history = [{"epoch": 1, "valid_loss": 0.1 + 0.2}]
    checkpoint.write_state(path, tensors, {"history": history})
    found = checkpoint.read_state(path)
    assert found is not None and found[1] == {"history": history}
    assert set(found[0]) == set(tensors)
    for name, value in tensors.items():
        assert torch.equal(found[0][name], value) and found[0][name].dtype == value.dtype
    assert [item.name for item in path.parent.iterdir()] == ["state.safetensors"]


def test_a_state_half_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    checkpoint.write_state(path, {"a": torch.ones(2)}, {"number": 1})

    def dies(target: Path, *_: object) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "_save_file", dies)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write_state(path, {"a": torch.zeros(2)}, {"number": 2})
    found = checkpoint.read_state(path)
    assert found is not None and found[1] == {"number": 1}


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SOURCES = sorted(
    path for folder in ("pipeline", "stages") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_code_loads_a_pickle(path: Path) -> None:
    with tokenize.open(path) as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        imported = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or ""]
        assert not {name.partition(".")[0] for name in imported} & FORBIDDEN
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            assert called not in (
                "torch.load",
                "torch.jit.load",
                "pd.read_pickle",
                "pandas.read_pickle",
            )
            assert not called.endswith((".load_model", ".read_pickle"))
            arguments = {item.arg: ast.unparse(item.value) for item in node.keywords}
            assert arguments.get("allow_pickle", "False") == "False"
            # transformers falls back to a pickled pytorch_model.bin unless told
            # otherwise.
            if called.endswith(".from_pretrained") and "Model" in called:
                assert arguments.get("use_safetensors") == "True", f"line {node.lineno}"


def test_descriptions_are_readable_json(tmp_path: Path) -> None:
    built = lookup.system("LSTM_Attn_a")(SIZES, hidden_size=2)
    checkpoint.save(tmp_path, built, FITTED, SIZES, {"experiment": {}, "classes": ["ärgerlich"]})
    text = (tmp_path / checkpoint.DESCRIPTION).read_text(encoding="utf-8")
    assert "ärgerlich" in text and json.loads(text)["sizes"] == asdict(SIZES)
