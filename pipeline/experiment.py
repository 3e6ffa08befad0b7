"""An experiment: one network row on one corpus, the inputs it names, and what differs from the published row."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from pipeline import lookup
from pipeline.lookup import configure
from pipeline.recipe import Recipe

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class Experiment:
    """One network row on one corpus; `hyperparameters` and `training` state what differs from the published row."""

    corpus: str
    network: str
    acoustic: str
    alignment: str
    text: str
    split: str
    seeds: tuple[int, ...] = (0,)
    max_words: int | None = Field(default=None, ge=1)
    normalization: Literal["train", "none"] = "train"
    select: Literal["ua", "wa", "loss"] = "ua"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The row's published recipe with this experiment's differences."""
        published: Recipe = lookup.row(self.network).recipe  # type: ignore[attr-defined]
        values = {name: getattr(published, name) for name in Recipe.__dataclass_fields__}
        made: Recipe = configure(Recipe, values | self.training, "training")
        return made
