"""Trained networks that `serflow predict` is given; two folds, the first is damaged."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline import document as documents
from pipeline import lookup, params
from pipeline.batch import Sizes
from pipeline.training import checkpoint
from pipeline.training.checkpoint import DESCRIPTION, TABLE, WEIGHTS
from pipeline.training.fitted import Fitted
from tests.resources import recordings, small_corpus
from tests.resources.bad_input import Case, Did, case

WORDS = ("late", "no", "rain")
SIZES = Sizes(feature_dim=8, word_dim=4, vocabulary_size=4, num_classes=3)
Make = Callable[[Path], None]


def fold(folder: Path, number: int, **experiment: Any) -> None:
    """A fold of the small corpus's experiment whose network was never trained."""
    document = documents.read(small_corpus.write_params(folder, folder / "corpus", **experiment))
    described = params.describe(params.check(document), "small")
    torch.manual_seed(number)
    chosen = described["experiment"]
    network = lookup.system(chosen["network"])(SIZES, **chosen["hyperparameters"])
    fitted = Fitted(
        np.zeros(8, np.float32),
        np.ones(8, np.float32),
        WORDS,
        np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
    )
    of_the_fold = {"fold": number, "seed": 0, "epoch": 1, "validation": {"valid_loss": 1.0}}
    more = {"classes": list(small_corpus.LABELS), "language": "en", "train_embedding": False}
    place = folder / "folds" / f"seed-0-fold-{number}"
    checkpoint.save(place, network, fitted, SIZES, described | more | of_the_fold)


def content(name: str, change: Callable[[bytes], bytes]) -> Make:
    """Other bytes in a file."""

    def make(place: Path) -> None:
        (place / name).write_bytes(change((place / name).read_bytes()))

    return make


def missing(name: str) -> Make:
    return lambda place: (place / name).unlink()


def folder_at(name: str) -> Make:
    def make(place: Path) -> None:
        (place / name).unlink()
        (place / name).mkdir()

    return make


def tensors(change: Callable[[dict[str, torch.Tensor], str], object]) -> Make:
    """Other tensors; `change` gets them and the name of a weight."""

    def make(place: Path) -> None:
        found = load_file(place / WEIGHTS)
        change(found, min(name for name in found if name.endswith("weight")))
        save_file(found, place / WEIGHTS)

    return make


def each(change: Callable[[torch.Tensor], torch.Tensor]) -> Make:
    """Another value of one weight."""
    return tensors(lambda found, name: found.update({name: change(found[name])}))


def described(*where: str, **values: Any) -> Make:
    """Other values in the description; None leaves the key out."""

    def make(place: Path) -> None:
        path = place / DESCRIPTION
        document = json.loads(path.read_text())
        inner = document
        for key in where:
            inner = inner[key]
        inner.update(values)
        for key in [key for key, value in values.items() if value is None]:
            del inner[key]
        path.write_text(json.dumps(document))

    return make


def header(change: Callable[[dict[str, Any]], object]) -> Make:
    """Another header of the safetensors, over the same bytes."""

    def rewrite(data: bytes) -> bytes:
        (size,) = struct.unpack("<Q", data[:8])
        found = json.loads(data[8 : 8 + size])
        change(found)
        written = json.dumps(found).encode()
        return struct.pack("<Q", len(written)) + written + data[8 + size :]

    return content(WEIGHTS, rewrite)


@case("a fold of another system", "its acoustic, alignment, experiment are not those of")
def other_system(place: Path) -> None:
    shutil.rmtree(place)
    small = {"hidden_size": 2}
    fold(
        place.parents[1],
        0,
        network="LSTM_Attn_s",
        hyperparameters=small,
        **dict.fromkeys(("acoustic", "alignment")),
    )


@case("weights of another system", "checkpoint.safetensors cannot be used: lacks network.")
def other_weights(place: Path) -> None:
    save_file({"network.linear.weight": torch.zeros(3, 4)}, place / WEIGHTS)


@case("the same fold twice", "it is the same fold and seed as")
def twice(place: Path) -> None:
    shutil.copytree(place, place.with_name("seed-0-fold-9"))


@case("a fold removed", "seed-0-fold-0 is missing, 1 of 2 folds")
def removed(place: Path) -> None:
    shutil.rmtree(place)


@case("a model without folds", "holds no trained network")
def without_folds(place: Path) -> None:
    shutil.rmtree(place.parent)


@case("a pickle in place of the weights", "checkpoint.safetensors cannot be used: ")
def pickled(place: Path) -> None:
    torch.save({"network.weight": torch.zeros(1)}, place / WEIGHTS)


@case("weights of another seed", "used")
def other_seed(place: Path) -> None:
    described(seed=7)(place)


def infinite(values: torch.Tensor) -> torch.Tensor:
    return values.index_fill(0, torch.tensor([0]), float("inf"))


def entry(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Another entry of the first weight in the header."""

    def change(found: dict[str, Any]) -> None:
        found[min(key for key in found if key.endswith("weight"))][name] = value

    return change


TINY = {"mean": [0.0] * 8, "deviation": [1e-45] * 8}
CASES = [
    Case("weights missing", missing(WEIGHTS), "checkpoint.safetensors is missing: train again"),
    Case("weights empty", content(WEIGHTS, lambda _: b""), "checkpoint.safetensors cannot be"),
    Case("weights cut", content(WEIGHTS, lambda data: data[:-9]), "checkpoint.safetensors cannot"),
    Case("weights cut in the header", content(WEIGHTS, lambda data: data[:40]), "cannot be used"),
    Case("weights longer", content(WEIGHTS, lambda data: data + b"more"), "cannot be used"),
    Case("a folder in place of the weights", folder_at(WEIGHTS), "cannot be used"),
    Case("a header of 10¹⁸ bytes", content(WEIGHTS, lambda data: struct.pack("<Q", 10**18)), "."),
    Case("a header that is no JSON", content(WEIGHTS, lambda data: data[:8] + b"?" * 999), "."),
    Case("a header with another dtype", header(entry("dtype", "F64")), "cannot be used"),
    Case("a header with an unknown dtype", header(entry("dtype", "X9")), "cannot be used"),
    Case("a header with another shape", header(entry("shape", [3, 3])), "cannot be used"),
    Case("a header that points past the end", header(entry("data_offsets", [0, 1 << 40])), "."),
    Case("a header with a repeated range", header(entry("data_offsets", [0, 4])), "cannot be used"),
    Case("no tensor", tensors(lambda found, _: found.clear()), "lacks network."),
    Case("a tensor missing", tensors(lambda found, name: found.pop(name)), "lacks network."),
    Case("a tensor more", tensors(lambda found, _: found.update(x=torch.ones(1))), "unknown x"),
    Case("a tensor of another shape", each(lambda value: value[:-1].clone()), "has the shape"),
    Case("a tensor of doubles", each(lambda value: value.double()), "has the dtype float64"),
    Case("a tensor of whole numbers", each(lambda value: value.int()), "has the dtype int32"),
    Case("a weight that is no number", each(lambda value: value * float("nan")), "not finite"),
    Case("an infinite weight", each(infinite), "numbers that are not finite"),
    Case("weights too large to compute with", each(lambda value: value * 0 + 3e38), "not finite"),
    Case("fitted vectors missing", tensors(lambda found, _: found.pop(TABLE)), "are missing"),
    Case(
        "fitted vectors of another width",
        tensors(lambda found, _: found.update({TABLE: torch.ones(3, 5)})),
        "fitted.table has the shape (3, 5), expected (3, 4)",
    ),
    Case(
        "fitted vectors of doubles",
        tensors(lambda found, _: found.update({TABLE: found[TABLE].double()})),
        "fitted.table has the dtype float64",
    ),
    Case("description missing", missing(DESCRIPTION), "checkpoint.json is missing: train again"),
    Case("description empty", content(DESCRIPTION, lambda _: b""), "checkpoint.json cannot be"),
    Case("description cut", content(DESCRIPTION, lambda data: data[:-9]), "cannot be used"),
    Case("description nested", content(DESCRIPTION, lambda _: b"[" * 99999), "cannot be used"),
    Case("description in UTF-16", content(DESCRIPTION, lambda d: d.decode().encode("utf-16")), "."),
    Case("description is a list", content(DESCRIPTION, lambda _: b"[]"), "no JSON object"),
    Case("a folder in place of the description", folder_at(DESCRIPTION), "cannot be used"),
    Case("a key more", described(command="rm"), "unknown key command"),
    Case("classes missing", described(classes=None), "no classes"),
    Case("classes empty", described(classes=[]), "classes [] are no list"),
    Case("classes in another order", described(classes=["sad", "neutral", "angry"]), "its classes"),
    Case("a class less", described(classes=["angry", "sad"]), "2 classes, but sizes.num_classes"),
    Case("a class twice", described(classes=["sad", "sad", "angry"]), "no list of different"),
    Case("deviation zero", described("normalization", deviation=[0.0] * 8), "not above 1e-08"),
    Case(
        "deviation no number",
        described("normalization", deviation=[float("nan")] * 8),
        "expected 8 finite numbers",
    ),
    Case("deviation next to zero", described(normalization=TINY), "not above 1e-08"),
    Case("mean too large", described("normalization", mean=[1e39] * 8), "8 finite numbers"),
    Case("mean of other features", described("normalization", mean=[0.0]), "8 finite numbers"),
    Case("mean in words", described("normalization", mean=["low"] * 8), "cannot be used"),
    Case(
        "no normalisation",
        described(normalization={"mean": None, "deviation": None}),
        "normalization is not there, but the experiment's is 'train'",
    ),
    Case("vocabulary missing", described(vocabulary=None), "no vocabulary"),
    Case("a word less", described(vocabulary=["no"]), "1 words, but vocabulary_size = 4"),
    Case("a word twice", described(vocabulary=["no"] * 3), "no list of different words"),
    Case("a size beyond memory", described("sizes", word_dim=10**7), "expected (3, 10000000)"),
    Case("a size below zero", described("sizes", feature_dim=-1), "expected a whole number"),
    Case("a size missing", described("sizes", word_dim=None), "expected ['feature_dim'"),
    Case(
        "a network beyond memory",
        described("experiment", "hyperparameters", hidden_size=10**8),
        "has the shape",
    ),
    Case(
        "an unknown hyperparameter",
        described("experiment", "hyperparameters", size=1),
        "FG_CME has no size",
    ),
    Case("an unknown system", described("experiment", network="os.system"), "unknown network"),
    Case("an experiment without corpus", described("experiment", corpus=None), "corpus is missing"),
    Case("no experiment", described(experiment="FG_CME"), "is not a section"),
    Case("features of other settings", described("acoustic", config={"num_mel_bins": 9}), "acous"),
    other_system,
    other_weights,
    other_seed,
    twice,
    removed,
    without_folds,
    pickled,
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    for number in (0, 1):
        fold(folder, number)
    stated = {"folds": [f"seed-0-fold-{number}" for number in (0, 1)]}
    (folder / "folds" / "experiment.json").write_text(json.dumps(stated))
    recordings.write(folder / "clip.wav", seconds=0.6, seed=1)
    return folder


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_ends_as_its_table_says(
    case: Case, user: Did, whole: Path, settle: Callable[[Case, str], None]
) -> None:
    model = user.folder / "model"
    shutil.copytree(whole, model)
    case.make(model / "folds" / "seed-0-fold-0")
    line = user.serflow(
        "predict", model / "clip.wav", "--text", "no rain", "--model", model, "--json"
    )
    settle(case, "used: as it is" if line is None else line)


def test_the_whole_model_gives_probabilities(user: Did, whole: Path) -> None:
    said = user.serflow("predict", whole / "clip.wav", "--text", "no rain", "--model", whole)
    assert said is None
