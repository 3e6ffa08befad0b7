"""The loop over epochs of one fold, with the epoch chosen on validation."""

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.batch import Batch, Example, collate
from pipeline.networks import Recipe
from pipeline.training import saved, steps
from pipeline.training.saved import State
from pipeline.training.schedule import Task
from pipeline.training.word_vectors import TrainedVectors

LOWEST = 1e-7  # probability: the logarithm of nothing has no temperature
SAVE_SECONDS = 10.0  # between saved states: a killed run repeats at most this much work


def train(
    task: Task,
    network: nn.Module,
    examples: Mapping[str, Sequence[Example]],
    device: torch.device,
) -> State:
    """Trains for the recipe's epochs; the state's `best` are the weights of the epoch
    that validation chose, of the last one where there is no validation.

    A network that has a method `solve(batches)` fits its weights by that to the
    training rows, and takes no steps. Goes on from a saved state. All randomness of an
    epoch follows from (seed, fold, epoch), so an interrupted training ends with the
    same numbers as an undisturbed one.
    Raises FloatingPointError when the loss is no number.
    """
    recipe, select = task.experiment.steps, task.experiment.selected_by
    optimizer = make_optimizer(network, recipe)
    state = saved.resume(task.scratch, network, optimizer) or State([], [], {}, 0, 0.0)
    valid_labels = np.array([example.label for example in examples["valid"]])
    compute = steps.computed(network, recipe, device)
    last_saved = time.monotonic()
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        began = time.monotonic()
        torch.manual_seed(stream(task.seed, task.fold, epoch))
        rate = recipe.learning_rate
        if recipe.learning_rate_step:
            rate *= recipe.learning_rate_factor ** ((epoch - 1) // recipe.learning_rate_step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        solve = getattr(network, "solve", None)
        if solve is not None:
            solve(lambda: _in_order(examples["train"], device))
        network.train()
        losses: list[Tensor] = []
        right: list[Tensor] = []
        sizes: list[int] = []
        for batch in steps.batches(examples["train"], recipe, device):
            optimizer.zero_grad(set_to_none=True)
            logits = compute(batch)
            loss = loss_of(network, batch, logits, recipe.l2)
            if solve is None:
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            # Numbers are asked for at the end of the epoch: a GPU is not waited for.
            losses.append(loss.detach())
            right.append(_hits(logits.detach(), batch.labels))
            sizes.append(batch.size)
        total = 0.0
        for value, size in zip(torch.stack(losses).tolist(), sizes, strict=True):
            total += value * size
        train_loss = total / len(examples["train"])
        if not math.isfinite(train_loss):
            raise FloatingPointError(
                f"the loss is {train_loss} in epoch {epoch} of fold {task.fold}: "
                "lower training.learning_rate"
            )
        # Training accuracy is that of the steps' own forward passes, as the loss is.
        train_wa = int(torch.stack(right).sum()) / len(examples["train"])
        curve = {"epoch": epoch, "train_loss": train_loss, "train_wa": train_wa}
        if len(valid_labels):
            curve |= _validate(probabilities_of(network, examples["valid"], device), valid_labels)
        state.probabilities.append(probabilities_of(network, examples["test"], device))
        state.history.append(curve)
        best = state.history[state.best_epoch - 1]
        if not (state.best_epoch and len(valid_labels)) or _merit(curve, select) > _merit(
            best, select
        ):
            state.best_epoch = epoch
            state.best = {
                name: value.detach().clone() for name, value in network.state_dict().items()
            }
        state.seconds += time.monotonic() - began
        if time.monotonic() - last_saved > SAVE_SECONDS:
            saved.save(task.scratch, network, optimizer, state)
            last_saved = time.monotonic()
    return state


def stream(*parts: object) -> int:
    """A seed that follows from its parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters."""
    if recipe.optimizer == "adam":
        return torch.optim.Adam(
            network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    return torch.optim.SGD(
        network.parameters(),
        recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


def loss_of(network: nn.Module, batch: Batch, logits: Tensor, l2: float) -> Tensor:
    """Cross entropy or the network's own loss, plus l2 times the sum of squared weights
    (no biases, no norms, no word vectors).
    """
    if batch.labels is None:
        raise ValueError("a batch without labels has no loss, expected training or validation rows")
    own = getattr(network, "training_loss", None)
    loss: Tensor = (
        nn.functional.cross_entropy(logits.float(), batch.labels)
        if own is None
        else own(batch, logits)
    )
    if l2:
        layers = network.network if isinstance(network, TrainedVectors) else network
        loss = loss + l2 * sum(
            weight.square().sum() for weight in layers.parameters() if weight.ndim > 1
        )
    return loss


def probabilities_of(
    network: nn.Module, examples: Sequence[Example], device: torch.device, batch_size: int = 64
) -> NDArray[np.float32]:
    """(len(examples), num_classes) softmax outputs in evaluation mode, in the order of
    the examples.
    """
    network.eval()
    order = sorted(range(len(examples)), key=lambda item: (steps.length(examples[item]), item))
    made: list[Tensor] = []
    with torch.inference_mode():
        for first in range(0, len(order), batch_size):
            batch = collate([examples[item] for item in order[first : first + batch_size]])
            made.append(torch.softmax(network(batch.to(device)).float(), dim=-1).cpu())
    values = torch.cat(made).numpy()
    restored = np.empty_like(values)
    restored[order] = values
    return restored


def _hits(logits: Tensor, labels: Tensor | None) -> Tensor:
    return (logits.argmax(dim=1) == labels).sum()  # type: ignore[attr-defined,no-any-return]


def _in_order(
    examples: Sequence[Example], device: torch.device, batch_size: int = 64
) -> Iterator[Batch]:
    for first in range(0, len(examples), batch_size):
        pieces = [examples[item] for item in range(first, min(first + batch_size, len(examples)))]
        yield collate(pieces).to(device)


def _validate(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    right = probabilities.argmax(axis=1) == labels
    picked = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {
        "valid_loss": float(-np.log(np.maximum(picked, 1e-12)).mean()),
        "valid_wa": float(right.mean()),
        "valid_ua": float(np.mean([right[labels == label].mean() for label in np.unique(labels)])),
        "valid_temperature": _temperature(probabilities, labels),
    }


def _temperature(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """What logits are divided by so that the validation loss is lowest (Guo et al.,
    ICML 2017), from 0.05 to 20.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(probabilities.astype(np.float64), LOWEST))

    def loss(logarithm: float) -> float:
        scaled = logits / math.exp(logarithm)
        highest = scaled.max(axis=1, keepdims=True)
        normalizer = highest[:, 0] + np.log(np.exp(scaled - highest).sum(axis=1))
        return float((normalizer - scaled[np.arange(len(labels)), labels]).mean())

    if not np.isfinite(logits).all():
        return 1.0
    bounds = (-math.log(20), math.log(20))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def _merit(curve: Mapping[str, float], select: str) -> tuple[float, float]:
    # Few validation utterances tie often: the lower loss decides, then the earlier
    # epoch.
    loss = -curve["valid_loss"]
    values = {
        "loss": loss,
        "wa": curve["valid_wa"],
        "ua": curve["valid_ua"],
        "wa_ua": 0.9 * curve["valid_wa"] + 0.1 * curve["valid_ua"],
    }
    return values[select], loss
