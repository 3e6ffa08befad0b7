"""One-hot words carry indices; all that is computed equals what an identity table
gives.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.batch import Batch, Example, collate
from pipeline.text import one_hot
from pipeline.training import checkpoint, dataset, loop
from pipeline.training.inputs import Folders
from tests.resources import fabricated

FIT = one_hot.fit


def with_identity(
    sentences: Sequence[Sequence[str]], config: one_hot.Config
) -> tuple[list[str], np.ndarray]:
    words, _ = FIT(sentences, config)
    return words, np.eye(len(words), dtype=np.float32)


def trained(folder: Path, inputs: dict[str, Folders], network: str) -> dict[str, bytes]:
    if network != "T_BL":
        # An identity table could be trained further, one-hot words have none.
        return fabricated.train(folder, inputs[network], network, train_embedding=False)
    folders = replace(inputs["FG_CME"], acoustic=None, spans=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fabricated.SMALL, network, {"hidden_size": 4})
        return fabricated.train(folder, folders, network, acoustic=None, alignment=None)


@pytest.mark.parametrize("network", ["FG_CME", "PBA_1_Pconv", "T_BL"])
def test_training_equals_that_on_an_identity_table(
    tmp_path: Path,
    inputs: dict[str, Folders],
    network: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    indices = trained(tmp_path / "indices", inputs, network)
    with monkeypatch.context() as patch:
        patch.setattr(one_hot, "fit", with_identity)
        identity = trained(tmp_path / "identity", inputs, network)
    weights = "checkpoint.safetensors"
    assert {name: made for name, made in indices.items() if name != weights} == {
        name: made for name, made in identity.items() if name != weights
    }
    one, other = (load_file(tmp_path / run / "out" / weights) for run in ("indices", "identity"))
    assert set(other) - set(one) == {checkpoint.TABLE}
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_checkpoints_with_and_without_a_table_give_the_same_logits(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "indices", inputs, "T_BL")
    monkeypatch.setattr(one_hot, "fit", with_identity)
    trained(tmp_path / "identity", inputs, "T_BL")
    logits, kept = [], []
    for run in ("indices", "identity"):
        network, fitted, _ = checkpoint.load(tmp_path / run / "out")
        kept.append(fitted.table is not None)
        words = (fitted.vocabulary[1], "unheard", fitted.vocabulary[0])
        example = dataset.make_example("u", None, fitted, None, None, words, None, None, None)
        assert example.word_ids is not None and example.word_ids.tolist() == [2, 0, 1]
        with torch.no_grad():
            logits.append(network(collate([example])))
    assert kept == [False, True]
    assert torch.equal(*logits)


def test_utterances_of_like_length_share_a_batch() -> None:
    seen = []

    class Counting(nn.Module):
        def forward(self, batch: Batch) -> Tensor:
            words, lengths = batch.text()
            seen.append(lengths.tolist())
            return words.new_zeros(len(lengths), 2)

    examples = [
        Example(str(count), word_ids=torch.ones(count, dtype=torch.long), one_hot_dim=2)
        for count in (3, 1, 2)
    ]
    loop.probabilities_of(Counting(), examples, torch.device("cpu"), batch_size=2)
    assert seen == [[1, 2], [3]]
