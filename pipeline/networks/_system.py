"""How a system is declared: what it reads, and the training recipe that its paper
states.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from pydantic import Field

from pipeline.lookup import checked

Input = Literal["audio", "text", "alignment"]
Unit = Literal["frame", "sample"]
TrainEmbedding = bool | Literal["released"]
Measure = Literal["ua", "wa", "wa_ua"]
Missing = Literal["fill", "drop"]
Normalization = Literal["train", "none"]


@checked
class Recipe:
    """Optimiser, schedule and batch of a system; an experiment states what differs.

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
    """A system: a function that builds its network, its inputs, its recipe.

    needs: the inputs it reads. unit: what a step of its acoustic feature is, a frame of
    numbers or a sample of the waveform. embeddings: the modules of text/ that it is
    defined on; empty where any serves. normalization: "train" takes the mean of the
    training frames from each feature and divides by their deviation. train_embedding:
    whether word vectors are trained with the network; "released": in its released form.
    select: the measure by which its paper chooses an epoch, `wa_ua` is 0.9 WA + 0.1 UA.
    missing: whether an utterance without one of the inputs is fed with zeros in its
    place or dropped. recipe: the published training. `__signature__` has its
    hyperparameters as keyword arguments with the published values as defaults.
    """

    build: Callable[..., Any]
    needs: frozenset[Input]
    unit: Unit
    embeddings: tuple[str, ...]
    normalization: Normalization
    train_embedding: TrainEmbedding
    select: Measure
    missing: Missing
    recipe: Recipe
    __signature__: inspect.Signature

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.build)

    def __call__(self, sizes: Any, **hyperparameters: Any) -> Any:
        """The network for given sizes; `hyperparameters` replace published ones."""
        bound = self.__signature__.bind(sizes, **hyperparameters)
        bound.apply_defaults()
        return self.build(sizes, **bound.kwargs)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Type annotation of each hyperparameter, by name."""
        parameters = self.__signature__.parameters.values()
        return {item.name: item.annotation for item in parameters if _is_hyperparameter(item)}


def system(
    *needs: Input,
    unit: Unit = "frame",
    embeddings: tuple[str, ...] = (),
    normalization: Normalization = "train",
    train_embedding: TrainEmbedding = False,
    select: Measure = "ua",
    missing: Missing = "fill",
    like: Callable[..., Any] | None = None,
    without: tuple[str, ...] = (),
    **recipe: Any,
) -> Callable[[Callable[..., Any]], System]:
    """Declares a function as a system that reads `needs` and trains with `recipe`.

    Hyperparameters are the function's keyword arguments. With `like` come those of
    another system or builder, but for the ones that `without` names; the function takes
    them as `**hyperparameters`, each with its published or its given value. Raises
    ValueError for an input that does not exist or a system that reads nothing.
    """
    unknown = sorted(set(needs) - set(get_args(Input)))
    if unknown or not needs:
        raise ValueError(f"inputs {list(needs)}, expected some of {list(get_args(Input))}")

    def declare(build: Callable[..., Any]) -> System:
        own = _hyperparameters(build)
        inherited = {} if like is None else _hyperparameters(like)
        absent = sorted(set(without) - set(inherited))
        if absent:
            raise ValueError(f"{build.__name__} is without {absent}, which it would not have")
        kept = {name: item for name, item in inherited.items() if name not in without}
        sizes = inspect.Parameter("sizes", inspect.Parameter.POSITIONAL_ONLY)
        signature = inspect.Signature([sizes, *(kept | own).values()])
        return System(
            build,
            frozenset(needs),
            unit,
            embeddings,
            normalization,
            train_embedding,
            select,
            missing,
            Recipe(**recipe),
            signature,
        )

    return declare


def _hyperparameters(build: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    # A system has its annotations evaluated already.
    hints = get_type_hints(build) if inspect.isfunction(build) else {}
    return {
        item.name: item.replace(annotation=hints.get(item.name, item.annotation))
        for item in inspect.signature(build).parameters.values()
        if _is_hyperparameter(item)
    }


def _is_hyperparameter(item: inspect.Parameter) -> bool:
    return item.kind is item.KEYWORD_ONLY
