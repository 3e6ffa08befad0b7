"""An experiment: one system on one corpus, its inputs, what differs from its paper."""

import math
from dataclasses import asdict, field, fields
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from pipeline import lookup
from pipeline.lookup import ConfigurationError, checked, configure, shown
from pipeline.networks import Recipe, System


@checked
class Training(Recipe):
    """A recipe and how its steps are computed.

    precision: of products and recurrences, `bfloat16` is torch's autocast; weights, the
    loss and all probabilities stay in float32. compile: whether torch compiles the
    network, which takes a C++ compiler and a minute for each fold. bucket_batches: so
    many batches are drawn together and sorted by length, which leaves less padding and
    less chance in what meets in a batch.
    """

    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    bucket_batches: int = Field(default=1, ge=1)


@checked
class Experiment:
    """One system on one corpus, with the inputs that it reads and no others.

    `hyperparameters` and `training` state what differs from the published system.
    `normalization`: whether frames are normalised by the training part's moments.
    `train_embedding`: whether the vectors of the training words are trained with the
    network. `select`: the measure of validation that chooses the epoch. `missing`:
    whether an utterance without one of the inputs is fed with zeros in its place or
    dropped. Each of these four is the system's own where it is not stated.
    """

    corpus: str
    network: str
    acoustic: str | None = None
    alignment: str | None = None
    text: str | None = None
    split: str
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = (0,)
    max_words: int | None = Field(default=None, ge=1)
    normalization: Literal["train", "none"] | None = None
    train_embedding: bool | None = None
    select: Literal["ua", "wa", "wa_ua", "loss"] | None = None
    missing: Literal["fill", "drop"] | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def system(self) -> System:
        """The published system."""
        found: System = lookup.system(self.network)
        return found

    @property
    def normalized_by(self) -> str:
        """What normalises frames: "train", the training part's moments, or "none"."""
        return self.normalization or self.system.normalization

    @property
    def trains_embedding(self) -> bool:
        """Whether word vectors are trained with the network."""
        if self.train_embedding is not None or "text" not in self.system.needs:
            return bool(self.train_embedding)
        own = self.system.train_embedding
        return self.hyperparameters.get("form") == own if own == "released" else bool(own)

    @property
    def selected_by(self) -> str:
        """The measure of validation that chooses the epoch."""
        return self.select or self.system.select

    @property
    def fills(self) -> bool:
        """Whether an utterance without one of the inputs is fed with zeros."""
        return (self.missing or self.system.missing) == "fill"

    @property
    def steps(self) -> Training:
        """The system's published recipe with this experiment's differences, and how it
        is computed.
        """
        return _training(self, "training")

    @property
    def recipe(self) -> Recipe:
        """The system's published recipe with this experiment's differences."""
        made = self.steps
        return Recipe(**{item.name: getattr(made, item.name) for item in fields(Recipe)})


def settings(name: str, values: Any) -> Experiment:
    """The checked entry `name` of the section `experiments` of params.yaml."""
    where = f"experiments.{name}"
    experiment: Experiment = configure(Experiment, values, where)
    if not experiment.seeds:
        raise ConfigurationError(f"{where}.seeds: no seed, expected at least one")
    if len(set(experiment.seeds)) < len(experiment.seeds):
        raise ConfigurationError(f"{where}.seeds: {list(experiment.seeds)}, expected distinct ones")
    if experiment.train_embedding and "text" not in experiment.system.needs:
        raise ConfigurationError(
            f"{where}.train_embedding: {experiment.network} reads no words, remove the line"
        )
    known = experiment.system.hyperparameters
    wrong = sorted(set(experiment.hyperparameters) - set(known))
    if wrong:
        raise ConfigurationError(
            f"{where}.hyperparameters: {experiment.network} has no {', '.join(wrong)}, "
            f"expected one of {list(known)}"
        )
    for key, value in experiment.hyperparameters.items():
        try:
            TypeAdapter(known[key]).validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigurationError(
                f"{where}.hyperparameters.{key}: {shown(value)}, expected {known[key]}: "
                f"{error.errors()[0]['msg']}"
            ) from None
        numbers = value if isinstance(value, list | tuple) else [value]
        for number in numbers:
            if isinstance(number, float | int) and not 0 <= number < math.inf:
                raise ConfigurationError(
                    f"{where}.hyperparameters.{key}: {shown(value)}, expected numbers from 0"
                )
    _training(experiment, f"{where}.training")
    return experiment


def _training(experiment: Experiment, where: str) -> Training:
    stated = asdict(experiment.system.recipe) | experiment.training
    made: Training = configure(Training, stated, where)
    return made
