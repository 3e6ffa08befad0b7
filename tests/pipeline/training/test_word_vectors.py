"""Word vectors that are trained with the network."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.batch import Batch, Example, collate
from pipeline.training import checkpoint, dataset, loop
from pipeline.training.fitted import Fitted, fit
from pipeline.training.folds import read_fold
from pipeline.training.inputs import Folders, open_inputs
from pipeline.training.word_vectors import TrainedVectors
from tests.resources import fabricated

EMBEDDINGS = ("glove", "word2vec")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as monkeypatch:
        fabricated.run_serially(monkeypatch)
        fabricated.write_inputs(folder, fabricated.experiment())
    for embedding in EMBEDDINGS:
        fabricated.embed_words(folder, fabricated.experiment(text=embedding))
    return folder


def folders(data: Path, embedding: str) -> Folders:
    return Folders.of(fabricated.experiment(text=embedding), data)


def trained(
    folder: Path, data: Path, embedding: str, network: str = "FG_CME", **changes: object
) -> dict[str, bytes]:
    changes = {"text": embedding, "train_embedding": True, **changes}
    return fabricated.train(folder, folders(data, embedding), network, **changes)


class Sum(nn.Module):
    """Logits are sums of the words' vectors, padding included."""

    def forward(self, batch: Batch) -> Tensor:
        return batch.text()[0].sum(dim=1)


TABLE = np.arange(6, dtype=np.float32).reshape(2, 3)


def examples() -> list[Example]:
    # Known words of other vectors than the table's, and one that training did not see.
    return [
        Example("a", words=torch.full((3, 3), 9.0), word_ids=torch.tensor([2, 0, 1])),
        Example("b", words=torch.full((1, 3), 9.0), word_ids=torch.tensor([1])),
    ]


def test_known_words_are_looked_up_and_unknown_ones_keep_their_vector() -> None:
    network = TrainedVectors(Sum(), TABLE)
    logits = network(collate(examples()))
    expected = torch.tensor([[3.0, 5, 7], [0, 1, 2]])
    torch.testing.assert_close(logits, expected + torch.tensor([[9.0], [0]]))
    logits.sum().backward()
    assert network.vectors.grad is not None
    assert network.vectors.grad.tolist() == [[2.0] * 3, [1.0] * 3]
    assert np.array_equal(TABLE, np.arange(6).reshape(2, 3)), "the table that it starts from stays"


def test_a_word_that_training_did_not_see_keeps_the_vector_of_the_file() -> None:
    fitted = Fitted(None, None, ("no", "yes"), TABLE)
    words, given = ("yes", "rain", "no"), np.full((3, 3), 9, np.float32)
    for vectors, unseen in ((given, 9.0), (None, 0.0)):
        made = dataset.make_example("u", None, fitted, None, None, words, vectors, None, None)
        assert made.words is not None and made.word_ids is not None
        assert made.word_ids.tolist() == [2, 0, 1]
        assert made.words.tolist() == [[3, 4, 5], [unseen] * 3, [0, 1, 2]]


def test_the_penalty_on_weights_leaves_vectors_alone() -> None:
    class Scaled(Sum):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((1, 3), 2.0))

        def forward(self, batch: Batch) -> Tensor:
            return super().forward(batch) * self.weight

    network = TrainedVectors(Scaled(), TABLE)
    batch = collate([Example("b", words=torch.zeros(1, 3), word_ids=torch.tensor([1]), label=0)])
    logits = network(batch)
    plain, penalised = (loop.loss_of(network, batch, logits, l2) for l2 in (0.0, 0.5))
    torch.testing.assert_close(penalised - plain, torch.tensor(0.5 * 3 * 4))


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_the_checkpoint_has_the_vectors_as_trained(
    tmp_path: Path, data: Path, embedding: str
) -> None:
    frozen = trained(tmp_path / "frozen", data, embedding, train_embedding=False)
    made = trained(tmp_path / "trained", data, embedding)
    assert made["probabilities.parquet"] != frozen["probabilities.parquet"]
    network, fitted, described = checkpoint.load(tmp_path / "trained" / "out")
    assert described["train_embedding"] is True
    inputs = open_inputs(folders(data, embedding))
    rows = read_fold(folders(data, embedding).split / "folds.parquet", 0)
    training = [item for item, _ in rows["train"]]
    start = fit(inputs, training, "train", train_embedding=True)
    assert inputs.text is not None and start.table is not None and fitted.table is not None
    assert fitted.vocabulary == start.vocabulary
    assert set(fitted.vocabulary) == {word for item in training for word in inputs.text.words[item]}
    assert fitted.table.shape == start.table.shape
    # Adam moves every vector that some training utterance reads.
    assert (np.abs(fitted.table - start.table).max(axis=1) > 1e-4).all()
    # The network itself is the published one, and nothing else is written beside it.
    names = set(load_file(tmp_path / "trained/out/checkpoint.safetensors"))
    assert names == {f"network.{name}" for name in network.state_dict()} | {checkpoint.TABLE}


def test_a_networks_own_loss_trains_its_vectors(tmp_path: Path, data: Path) -> None:
    small = fabricated.SMALL["FG_CME"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fabricated.SMALL, "ctc_align", {**small, "form": "released"})
        patch.delitem(fabricated.SMALL["ctc_align"], "classifier_size")
        made = trained(tmp_path / "a", data, "glove", "ctc_align", alignment=None)
        # Its released form trains vectors without being told.
        default = trained(
            tmp_path / "b", data, "glove", "ctc_align", alignment=None, train_embedding=None
        )
    assert made["checkpoint.safetensors"] == default["checkpoint.safetensors"]


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_a_killed_fold_ends_as_an_undisturbed_one(
    tmp_path: Path, data: Path, embedding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = trained(tmp_path / "whole", data, embedding)
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    steps, whole = [], loop.loss_of

    class Killed(BaseException):
        pass

    def loss_of(*given: object) -> Tensor:
        steps.append(1)
        if len(steps) > 5:
            raise Killed
        return whole(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as disturbed:
        disturbed.setattr(loop, "loss_of", loss_of)
        with pytest.raises(Killed):
            trained(tmp_path / "killed", data, embedding)
    assert (tmp_path / "killed/scratch/state.safetensors").is_file()
    assert trained(tmp_path / "killed", data, embedding) == undisturbed


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_words_of_test_utterances_alone_change_no_byte_of_the_checkpoint(
    tmp_path: Path, data: Path, embedding: str
) -> None:
    before = trained(tmp_path / "before", data, embedding)
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    place = folders(changed, embedding)
    assert place.text is not None
    words = place.text / "words.parquet"
    rows = pq.read_table(words).to_pylist()
    tested = {item for item, _ in read_fold(place.split / "folds.parquet", 0)["test"]}
    for row in rows:
        if row["utterance_id"] in tested:
            row["word_ids"] = [0] * len(row["word_ids"])
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(words)), words)
    fabricated.state_again(place.text)
    after = trained(tmp_path / "after", changed, embedding)
    assert after["probabilities.parquet"] != before["probabilities.parquet"]
    for name in ("checkpoint.safetensors", "checkpoint.json", "history.csv"):
        assert after[name] == before[name]


def test_one_hot_words_have_no_table_to_train(tmp_path: Path, data: Path) -> None:
    frozen = fabricated.train(tmp_path / "a", folders(data, "one_hot"))
    trained_too = fabricated.train(tmp_path / "b", folders(data, "one_hot"), train_embedding=True)
    assert frozen["checkpoint.safetensors"] == trained_too["checkpoint.safetensors"]
    assert json.loads(trained_too["checkpoint.json"])["train_embedding"] is False
