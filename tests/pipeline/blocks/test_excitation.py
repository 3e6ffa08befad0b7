"""The gates of cross modality excitation, in both forms."""

import pytest
import torch
from torch import nn

from pipeline.blocks.excitation import CrossModalityExcitation

ACOUSTIC, SEMANTIC = torch.randn(2, 3, 6), torch.randn(2, 3, 4)
WORD_IDS = torch.tensor([[1, 2, 0], [4, 4, 1]])


def test_paper_form() -> None:
    block = CrossModalityExcitation(6, 4)
    assert isinstance(block.acoustic_gate, nn.Linear) and isinstance(block.semantic_gate, nn.Linear)
    acoustic, semantic = block(ACOUSTIC, SEMANTIC, None)
    torch.testing.assert_close(
        acoustic, torch.sigmoid(SEMANTIC @ block.acoustic_gate.weight.T) * ACOUSTIC
    )
    torch.testing.assert_close(
        semantic, torch.sigmoid(ACOUSTIC @ block.semantic_gate.weight.T) * SEMANTIC
    )


def test_residual_form_looks_the_acoustic_gate_up_by_word() -> None:
    block = CrossModalityExcitation(6, 4, form="residual", vocabulary_size=5)
    assert isinstance(block.acoustic_gate, nn.Embedding) and isinstance(
        block.semantic_gate, nn.Linear
    )
    acoustic, semantic = block(ACOUSTIC, SEMANTIC, WORD_IDS)
    gate = torch.sigmoid(block.acoustic_gate.weight[WORD_IDS])
    torch.testing.assert_close(acoustic, gate * ACOUSTIC + ACOUSTIC)
    torch.testing.assert_close(
        semantic, (torch.sigmoid(block.semantic_gate(ACOUSTIC)) + 1) * SEMANTIC
    )


@pytest.mark.parametrize("acoustic", [False, True])
@pytest.mark.parametrize("semantic", [False, True])
def test_a_modality_without_gate_passes_unchanged(acoustic: bool, semantic: bool) -> None:
    block = CrossModalityExcitation(6, 4, acoustic=acoustic, semantic=semantic)
    voice, text = block(ACOUSTIC, SEMANTIC, None)
    assert (
        torch.equal(voice, ACOUSTIC) is not acoustic and torch.equal(text, SEMANTIC) is not semantic
    )
    assert len(list(block.parameters())) == acoustic + semantic


def test_what_residual_needs() -> None:
    with pytest.raises(ValueError, match="expected a text embedding with a vocabulary"):
        CrossModalityExcitation(6, 4, form="residual")
    with pytest.raises(ValueError, match="the batch has no word ids"):
        CrossModalityExcitation(6, 4, form="residual", vocabulary_size=5)(ACOUSTIC, SEMANTIC, None)
    with pytest.raises(ValueError, match="unknown excitation 'papper', expected one of"):
        CrossModalityExcitation(6, 4, form="papper")  # type: ignore[arg-type]
