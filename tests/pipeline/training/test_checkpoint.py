import ast
import json
import tokenize
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline import lookup
from pipeline.batch import Example, Sizes, collate
from pipeline.lookup import ConfigurationError
from pipeline.training import checkpoint
from pipeline.training.fitted import Fitted
from tests.resources import fabricated

ROOT = Path(__file__).parents[3]
SIZES = Sizes(feature_dim=1, word_dim=3, vocabulary_size=3, num_classes=3)
AUDIO = Sizes(feature_dim=1, num_classes=3)
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
    built = lookup.system("LSTM_Attn_a")(AUDIO, hidden_size=2)
    experiment = {
        "corpus": "x",
        "network": "LSTM_Attn_a",
        "split": "x",
        "normalization": "none",
        "hyperparameters": {"hidden_size": 2},
    }
    checkpoint.save(
        tmp_path,
        built,
        Fitted(None, None, (), None),
        AUDIO,
        {"experiment": experiment, "classes": ["a", "b", "c"]},
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
def test_half_a_checkpoint_says_what_is_missing(trained: Path, missing: str) -> None:
    (trained / missing).unlink()
    with pytest.raises(ConfigurationError, match=f"{missing} is missing: train again"):
        checkpoint.load(trained)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    built = lookup.system("LSTM_Attn_a")(SIZES, hidden_size=2)
    experiment = {
        "corpus": "x",
        "network": "LSTM_Attn_a",
        "split": "x",
        "hyperparameters": {"hidden_size": 2},
    }
    described = {"experiment": experiment, "classes": ["a", "b", "c"]}
    checkpoint.save(tmp_path, built, FITTED, SIZES, described)
    return tmp_path


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("chain", {"mfa": {}}, "unknown key chain"),
        ("classes", None, "no classes"),
        ("joins", ["a", 3], "no list of different names"),
        ("classes", ["a", "a", "b"], "no list of different names"),
        ("classes", ["a", "b"], "2 classes, but sizes.num_classes = 3"),
        ("experiment", {}, "corpus is missing"),
        ("experiment", "os.system", "is not a section"),
        ("experiment", {"network": "os.system", "corpus": "x", "split": "x"}, "unknown network"),
        ("sizes", {"feature_dim": 1}, r"expected \['feature_dim'"),
        ("sizes", asdict(SIZES) | {"word_dim": 10**12}, "whole number up to"),
        ("sizes", asdict(SIZES) | {"word_dim": 4}, r"has the shape \(2, 3\)"),
        ("vocabulary", ["no"], "1 words, but vocabulary_size = 3"),
        ("normalization", {"mean": [0.1]}, "no 'deviation'"),
        ("normalization", {"mean": [0.1], "deviation": [0.0]}, "not above 1e-08"),
        ("normalization", {"mean": [0.1], "deviation": [float("nan")]}, "finite numbers"),
        ("normalization", {"mean": [0.1, 1.0], "deviation": [1.0, 1.0]}, "1 finite numbers"),
        ("normalization", {"mean": [0.1], "deviation": None}, "expected both or none"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_description_that_no_training_wrote_is_one_line(
    trained: Path, key: str, value: object, said: str
) -> None:
    path = trained / checkpoint.DESCRIPTION
    described = json.loads(path.read_text()) | {key: value}
    if value is None:
        del described[key]
    path.write_text(json.dumps(described))
    with pytest.raises(ConfigurationError, match=said) as raised:
        checkpoint.load(trained)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_weights_that_do_not_fit_are_one_line(trained: Path) -> None:
    path = trained / checkpoint.WEIGHTS
    tensors = load_file(path)
    whole = path.read_bytes()
    first = sorted(name for name in tensors if name.startswith("network."))[0]
    damaged = [
        {**tensors, first: torch.full_like(tensors[first], float("nan"))},
        {**tensors, first: torch.zeros(3, 1, 4)},
        {**tensors, first: tensors[first].double()},
        {**tensors, "network.more": torch.zeros(1)},
        {**tensors, "more": torch.zeros(1)},
        {name: value for name, value in tensors.items() if name != first},
    ]
    for given in damaged:
        save_file(given, path)
        with pytest.raises(ConfigurationError) as raised:
            checkpoint.load(trained)
        assert str(raised.value).startswith(f"{path} cannot be used: ")
        assert "\n" not in str(raised.value)
    for content in (whole[:50], b"", b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="safetensors cannot be used: "):
            checkpoint.load(trained)


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
