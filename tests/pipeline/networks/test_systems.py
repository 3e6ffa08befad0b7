"""What every system must do: those that the modules of networks/ list, paper B's in
their released form, and one that a user adds.
"""

from dataclasses import replace
from functools import wraps
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline import lookup
from pipeline.batch import Batch, Example, Sizes, collate
from pipeline.networks import System, fg_cme
from tests.resources import own_network


def in_released_form(published: System) -> System:
    @wraps(published.build)
    def build(sizes: Sizes, **hyperparameters: Any) -> nn.Module:
        # Small: the published width has been tried in the other form.
        changed = {**hyperparameters, "form": "released", "hidden_size": 32}
        made: nn.Module = published.build(sizes, **changed)
        return made

    return replace(published, build=build)


SYSTEMS = lookup.systems() | {"MeanPool": own_network.MeanPool}
SYSTEMS |= {f"{name} released": in_released_form(SYSTEMS[name]) for name in fg_cme.__all__}
NUM_CLASSES = 4
VOCABULARY = 12
RAW = ("CMA_raw", "SelfAttn_a")


def make(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network: nn.Module = SYSTEMS[name](sizes_of(name))
    return network


def sizes_of(name: str) -> Sizes:
    # A raw waveform is one value per sample; all other systems take any width.
    needs = SYSTEMS[name].needs
    feature_dim = 1 if name in RAW else 6
    return Sizes(
        feature_dim if "audio" in needs else 0,
        5 if "text" in needs else 0,
        VOCABULARY if "text" in needs else 0,
        NUM_CLASSES,
    )


def examples(
    name: str, count: int, frames: tuple[int, int] = (17, 40), seed: int = 1
) -> list[Example]:
    """Utterances of different lengths whose voice and words both tell the class, when
    the system reads them.
    """
    needs, sizes = SYSTEMS[name].needs, sizes_of(name)
    if name in RAW:
        frames = (frames[0] * 160, frames[1] * 160)
    generator = torch.Generator().manual_seed(seed)
    pattern = torch.randn(NUM_CLASSES, max(sizes.feature_dim, 1), generator=generator)
    meaning = torch.randn(VOCABULARY, max(sizes.word_dim, 1), generator=generator)
    made = []
    for index in range(count):
        label = index % NUM_CLASSES
        num_frames = int(torch.randint(frames[0], frames[1], (), generator=generator))
        num_words = int(torch.randint(2, 7, (), generator=generator))
        noise = torch.randn(num_frames, pattern.shape[1], generator=generator)
        if name in RAW:
            voice = (
                torch.sin(torch.arange(num_frames) * (0.05 + 0.2 * label))[:, None] + 0.1 * noise
            )
        else:
            voice = pattern[label] + 0.3 * noise
        word_ids = label + NUM_CLASSES * torch.randint(
            0, VOCABULARY // NUM_CLASSES, (num_words,), generator=generator
        )
        bounds = torch.linspace(1, num_frames - 1, num_words + 1).long()
        made.append(
            Example(
                f"u{index}",
                frames=voice if "audio" in needs else None,
                words=meaning[word_ids] if "text" in needs else None,
                word_ids=word_ids if "text" in needs else None,
                segments=torch.stack([bounds[:-1], bounds[1:]], dim=1)
                if "alignment" in needs
                else None,
                label=label,
            )
        )
    return made


def loss_of(network: Any, batch: Batch) -> Tensor:
    logits = network(batch)
    own = getattr(network, "training_loss", None)
    loss: Tensor = (
        nn.functional.cross_entropy(logits.float(), batch.labels)
        if own is None
        else own(batch, logits)
    )
    return loss


each_system = pytest.mark.parametrize("name", sorted(SYSTEMS))


@each_system
def test_declares_inputs_and_recipe(name: str) -> None:
    assert SYSTEMS[name].needs and SYSTEMS[name].needs <= {"audio", "text", "alignment"}
    assert SYSTEMS[name].recipe.learning_rate > 0
    assert SYSTEMS[name].__doc__, "a system's docstring names its section"


@each_system
def test_logits_and_the_utterance_vector_of_a_system_that_has_one(name: str) -> None:
    batch = collate(examples(name, 3))
    network: Any = make(name).eval()
    logits = network(batch)
    assert logits.shape == (3, NUM_CLASSES) and logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
    if hasattr(network, "embed"):
        vector = network.embed(batch)
        assert vector.ndim == 2 and vector.shape[0] == 3
        assert torch.isfinite(vector).all()


@each_system
def test_every_parameter_gets_a_finite_gradient(name: str) -> None:
    network = make(name).train()
    loss_of(network, collate(examples(name, 8))).backward()
    for parameter, value in network.named_parameters():
        assert value.grad is not None, f"{parameter} has no part in the loss"
        assert torch.isfinite(value.grad).all(), parameter


@each_system
def test_padding_changes_nothing(name: str) -> None:
    utterances = examples(name, 4)
    network = make(name)
    with torch.no_grad():
        network.train()
        network(collate(utterances))  # batch statistics away from their initial values
        network.eval()
        together = network(collate(utterances))
        alone = torch.cat([network(collate([utterance])) for utterance in utterances])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)


@each_system
def test_same_seed_same_logits(name: str) -> None:
    batch = collate(examples(name, 3))
    torch.testing.assert_close(make(name).eval()(batch), make(name).eval()(batch), atol=0, rtol=0)
    network = make(name, seed=1).eval()
    network.load_state_dict(make(name).state_dict())
    torch.testing.assert_close(network(batch), make(name).eval()(batch), atol=0, rtol=0)


@each_system
def test_bfloat16_autocast_stays_near_float32(name: str) -> None:
    batch = collate(examples(name, 4))
    network = make(name).eval()
    expected = network(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(batch)
    torch.testing.assert_close(logits.float(), expected, atol=0.1, rtol=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(network.train(), batch)
    loss.backward()
    assert all(
        torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None
    )


@each_system
def test_its_weights_are_known_before_they_take_memory(name: str) -> None:
    """A checkpoint is compared with them before the network is built."""
    with torch.device("meta"):
        sized = make(name).state_dict()
    built = make(name).state_dict()
    assert all(value.is_meta for value in sized.values())
    for kind in ("shape", "dtype"):
        expected = {key: getattr(value, kind) for key, value in built.items()}
        assert {key: getattr(value, kind) for key, value in sized.items()} == expected


@each_system
def test_reads_only_what_it_needs(name: str) -> None:
    needs = SYSTEMS[name].needs
    batch = collate(examples(name, 3))
    # The collated fields of modalities outside `needs` are None already: a system that
    # touched them would fail here.
    if "audio" not in needs:
        assert batch.frames is None
    if "text" not in needs:
        assert batch.words is None and batch.word_ids is None
    network = make(name).eval()
    assert torch.equal(network(batch), network(replace(batch, labels=None)))
    for need, fields in (
        ("audio", ("frames", "frame_lengths")),
        ("text", ("words", "word_ids", "word_lengths")),
    ):
        if need in needs:
            with pytest.raises(ValueError, match="this system needs"):
                network(replace(batch, **dict.fromkeys(fields)))


@each_system
def test_learns_sixteen_utterances(name: str) -> None:
    batch = collate(examples(name, 16, frames=(20, 30)))
    network = make(name)
    for group in network.modules():
        if isinstance(group, nn.Dropout):
            group.p = 0.0
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(150):
        network.train()
        optimizer.zero_grad()
        loss_of(network, batch).backward()
        optimizer.step()
        network.eval()
        with torch.no_grad():
            if torch.equal(network(batch).argmax(dim=1), batch.labels):
                return
    pytest.fail("150 steps did not bring the training accuracy to 100 %")
