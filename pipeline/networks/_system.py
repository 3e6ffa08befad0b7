"""How a published system is declared: what it reads, and the training recipe its paper states."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

Input = Literal["audio", "text", "alignment"]
Unit = Literal["frame", "sample"]


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """Optimiser, schedule and batch of one system; an experiment states only what differs.

    `weight_decay` is the optimiser's own; `l2` adds l2 * sum of squared weights (no
    biases, no norms) to the loss. The learning rate is multiplied by
    `learning_rate_factor` every `learning_rate_step` epochs.
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


@dataclass(eq=False)
class System:
    """A published system: a function that builds its network, its inputs, its recipe.

    needs: the inputs it reads. unit: what a row of its acoustic feature is, a frame of
    numbers or a sample of the waveform. embeddings: the modules of text/ that it is
    defined on; empty where any serves. recipe: the published training.
    """

    build: Callable[..., Any]
    needs: frozenset[Input]
    unit: Unit
    embeddings: tuple[str, ...]
    recipe: Recipe

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.build)

    def __call__(self, *args: Any, **hyperparameters: Any) -> Any:
        """The network for given sizes; `hyperparameters` replace published ones."""
        return self.build(*args, **hyperparameters)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type annotation of each hyperparameter, by name."""
        hints = get_type_hints(self.build)
        parameters = inspect.signature(self.build).parameters.values()
        keywords = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
        return {name: hints[name] for name in keywords}


def system(
    *needs: Input, unit: Unit = "frame", embeddings: tuple[str, ...] = (), **recipe: Any
) -> Callable[[Callable[..., Any]], System]:
    """Declares a function as a system that reads `needs` and trains with `recipe`.

    Raises ValueError for an input that does not exist or a system that reads nothing.
    """
    unknown = sorted(set(needs) - set(get_args(Input)))
    if unknown or not needs:
        raise ValueError(f"inputs {list(needs)}, expected some of {list(get_args(Input))}")

    def declare(build: Callable[..., Any]) -> System:
        return System(build, frozenset(needs), unit, embeddings, Recipe(**recipe))

    return declare
