"""How a published network row is declared: what it reads, and the training recipe its paper states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Input = Literal["audio", "text", "alignment"]
Network = TypeVar("Network", bound=Callable[..., Any])


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """Optimiser, schedule and batch of one network row; an experiment states only what differs.

    `weight_decay` is the optimiser's own; `l2` adds l2 * sum of squared weights (no biases, no norms) to the loss.
    The learning rate is multiplied by `learning_rate_factor` every `learning_rate_step` epochs.
    """

    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    learning_rate_step: int | None = Field(default=None, ge=1)
    learning_rate_factor: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=32, ge=1)
    epochs: int = Field(default=20, ge=1)


def row(*needs: Input, **recipe: Any) -> Callable[[Network], Network]:
    """Marks a function as a network row that reads the inputs `needs` and trains with `recipe` by default."""

    def mark(build: Network) -> Network:
        build.needs = frozenset(needs)  # type: ignore[attr-defined]
        build.recipe = Recipe(**recipe)  # type: ignore[attr-defined]
        return build

    return mark
