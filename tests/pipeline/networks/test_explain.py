"""The weights that systems tell of are those that they used."""

from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.batch import Batch, collate
from pipeline.blocks.pooling import AttentionPooling, masked_max
from tests.pipeline.networks.test_systems import SYSTEMS, examples, make

GATES = {"acoustic_gate/words", "semantic_gate/words"}
FRAMES, WORDS = {"attention/frames"}, {"attention/words"}
ASKED = {"text_to_voice_1/words/frames", "text_to_voice_2/words/frames"}
CROSSED = {"voice_to_text_1/words", "voice_to_text_2/words", *ASKED}
ALIGNED = {"temporal_alignment/words/frames"}
INTERACTING = {"text_aware/words", "speech_aware/words"}
TSIN = dict.fromkeys(
    ("TSIN", "TSIN_glove", "TSIN_googlenews", "TSIN_fasttext", "TSIN_onehot"),
    ALIGNED | INTERACTING,
)
# By system, the weights that it has; all others weigh no word and no frame.
WEIGHTS: dict[str, set[str]] = {
    **dict.fromkeys(("S_CBLA", "M_CBLA_BL", "M_CBLA_BLR"), FRAMES),
    "FG_CME": GATES,
    "wo_excite_a": {"semantic_gate/words"},
    "wo_excite_s": {"acoustic_gate/words"},
    "wo_excite_m": set(),
    "ctc_align": GATES | {"ctc_alignment/words/frames"},
    "LSTM_Attn_a": FRAMES,
    "LSTM_Attn_s": WORDS,
    "UttConcat_m": FRAMES | WORDS,
    "AttnFusion_m": {"attention/words/frames"},
    "MHA_m": FRAMES | WORDS,
    "CMA_raw": CROSSED,
    "CMA_spec": CROSSED,
    "SelfAttn_a": {"attention_1/frames", "attention_2/frames"},
    "SelfAttn_t": {"attention_1/words", "attention_2/words"},
    "PBA_a": FRAMES,
    "PBA_t": WORDS,
    **dict.fromkeys(
        ("PBA_2_Pconv", "PBA_1_Pconv", "PBA_2_BLSTM", "PBA_1_BLSTM", "PBA_Attention", "PBA_FC"),
        FRAMES | WORDS,
    ),
    **TSIN,
    "TSI_wo_TA": INTERACTING,
    "TSI_wo_SI": ALIGNED,
}


def explain(network: Any, batch: Batch) -> dict[str, Tensor]:
    if not hasattr(network, "explain"):
        return {}
    with torch.no_grad():
        found: dict[str, Tensor] = network.explain(batch)
    return found


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_each_system_tells_the_weights_that_it_has(name: str) -> None:
    utterances = examples(name, 3)
    batch = collate(utterances)
    network = make(name).eval()
    found = explain(network, batch)
    assert set(found) == WEIGHTS.get(name.removesuffix(" released"), set())
    for key, weights in found.items():
        what, *axes = key.split("/")
        sizes = {"frames": batch.frames, "words": batch.words}
        masks = {"frames": "frame_mask", "words": "word_mask"}
        expected = [sizes[axis].shape[1] for axis in axes]  # type: ignore[union-attr]
        assert weights.shape == (3, *expected)
        for place, axis in enumerate(axes):
            mask = getattr(batch, masks[axis])
            mask = mask if len(axes) == 1 else mask[:, None] if place else mask[..., None]
            assert (weights * ~mask == 0).all(), f"{key} is not zero in padding"
        if name == "ctc_align released" and what.endswith("_gate"):
            continue  # its gates are added: they have no bounds
        if what.endswith("_gate"):
            valid = weights[batch.word_mask]
            assert ((valid > 0) & (valid < 1)).all()
        elif what != "ctc_alignment":
            total = weights.sum(dim=-1)
            used = torch.ones_like(total) if len(axes) == 1 else batch.word_mask.float()
            if name.startswith("PBA") and axes == ["words"]:
                assert ((total > 0) & (total < used)).all(), "the filling has the rest"
            else:
                torch.testing.assert_close(total, used, atol=1e-5, rtol=0)
    for row, utterance in enumerate(utterances):
        for key, weights in explain(network, collate([utterance])).items():
            own = found[key][row][tuple(slice(size) for size in weights.shape[1:])]
            torch.testing.assert_close(weights[0], own, atol=1e-5, rtol=1e-4)


def made(name: str) -> tuple[Any, Batch, dict[str, Tensor]]:
    """A network away from its first weights, where attention is nearly even."""
    network, batch = make(name), collate(examples(name, 3))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    return network.eval(), batch, explain(network, batch)


@pytest.mark.parametrize("name", ["LSTM_Attn_a", "LSTM_Attn_s"])
def test_the_pooled_vector_follows_from_the_attention(name: str) -> None:
    network, batch, found = made(name)
    (weights,) = found.values()
    states = network.encoder.recurrent(*network.read(batch))
    pooled = (weights[:, None] @ states)[:, 0]
    torch.testing.assert_close(pooled, network.embed(batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["MHA_m", "MHA_m released"])
def test_both_hops_of_mha(name: str) -> None:
    network, batch, found = made(name)
    words, frames = network.text(*batch.text()), network.voice(*batch.voice())
    parts = (
        network.voice.final_state(frames, batch.frame_lengths),
        (found["attention/words"][:, None] @ words)[:, 0],
        (found["attention/frames"][:, None] @ frames)[:, 0],
    )
    torch.testing.assert_close(torch.cat(parts, dim=1), network.embed(batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "name", ["FG_CME", "wo_excite_a", "wo_excite_s", "FG_CME released", "wo_excite_a released"]
)
def test_the_utterance_vector_follows_from_the_gates(name: str) -> None:
    network, batch, found = made(name)
    voice, text = network.voice(batch), network.semantic(batch.words)
    gates = network.excitation.gates(voice, text, batch.word_ids)
    assert {f"{key}_gate/words" for key in gates} == set(found)
    for key, gate in gates.items():
        mean = gate.mean(dim=-1) * batch.word_mask
        torch.testing.assert_close(found[f"{key}_gate/words"], mean)
    kept = 1 if name.endswith("released") else 0
    heard = voice * (gates["acoustic"] + kept if "acoustic" in gates else 1)
    read = text * (gates["semantic"] + kept if "semantic" in gates else 1)
    both = torch.cat([heard, read], dim=-1)
    vector = masked_max(network.recurrent(both, batch.word_lengths), batch.word_lengths)
    torch.testing.assert_close(vector, network.embed(batch), atol=1e-5, rtol=0)


def test_the_utterance_vector_of_tsin_follows_from_alignment_and_interaction() -> None:
    network, batch, found = made("TSIN")
    words, frames = network.text(batch), network.speech(batch)
    speech = found["temporal_alignment/words/frames"] @ frames
    both = (
        speech * found["speech_aware/words"][..., None],
        words * found["text_aware/words"][..., None],
    )
    fused = network.fusion(torch.cat(both, dim=-1))[0]
    vector = network.block(fused, batch.word_lengths)
    torch.testing.assert_close(vector, network.embed(batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "name", [name for name in SYSTEMS if name in WEIGHTS and name.startswith("PBA")]
)
def test_steps_of_pba_are_told_as_the_frames_and_words_that_they_are_means_of(name: str) -> None:
    network, batch, found = made(name)
    pools: list[tuple[Tensor, Tensor]] = []
    for module in network.modules():
        if isinstance(module, AttentionPooling):
            module.register_forward_hook(
                lambda pool, given, pooled: pools.append((pool.weights(*given), given[0]))
            )
    vector = network.embed(batch)
    pooled = torch.cat([(weights[:, None] @ x)[:, 0] for weights, x in pools], dim=-1)
    torch.testing.assert_close(pooled, vector, atol=1e-5, rtol=0)
    steps = {"attention/frames": pools[0][0], "attention/words": pools[-1][0]}
    for key in found:
        lengths = batch.frame_lengths if key.endswith("frames") else batch.word_lengths
        for row, own in enumerate(lengths.tolist()):
            length = own if key.endswith("frames") else 50
            told = torch.zeros(length)
            for part, weight in enumerate(steps[key][row]):
                first, past = part * length // 25, -(-(part + 1) * length // 25)
                told[first:past] += weight / (past - first)
            torch.testing.assert_close(found[key][row, :own], told[:own], atol=1e-6, rtol=1e-4)


def test_steps_of_cma_are_told_as_the_samples_that_they_stand_for() -> None:
    network, batch, found = made("SelfAttn_a")
    states, lengths = network.encoder(batch)
    (first, _) = network.attention.weights(states, states, lengths)
    factor = 3 * 3 * 2 * 4 * 3 * 2
    for row, length in enumerate(batch.frame_lengths.tolist()):  # type: ignore[union-attr]
        received = first[row, : lengths[row], : lengths[row]].mean(dim=0)
        for step, weight in enumerate(received.tolist()):
            told = found["attention_1/frames"][
                row, step * factor : min(length, (step + 1) * factor)
            ]
            assert told.sum().item() == pytest.approx(weight, abs=1e-6)
            assert told.std().item() == pytest.approx(0, abs=1e-7)
