"""Alignment: each module places the words of an utterance in its recording."""

from dataclasses import field
from typing import Any

from pydantic import Field

from pipeline import lookup
from pipeline.alignment import _check
from pipeline.alignment._pauses import Config as Pauses
from pipeline.alignment._pauses import parts
from pipeline.alignment._placement import (
    align_corpus,
    examine,
    learns_from_all,
    place,
    place_one,
    provenance,
)
from pipeline.lookup import ConfigurationError, checked

__all__ = [
    "Alignment",
    "Pauses",
    "align_corpus",
    "examine",
    "learns_from_all",
    "parts",
    "place",
    "place_one",
    "provenance",
    "settings",
]


@checked
class Alignment:
    """A chain of aligners: each places what the one before it could not.

    The build stops when more than `max_failed_share` of the utterances fail.
    """

    chain: dict[str, dict[str, Any] | None]
    check: dict[str, Any] = field(default_factory=dict)
    max_failed_share: float = Field(default=0.2, ge=0, le=1)


def settings(name: str, values: Any) -> Alignment:
    """The checked entry `name` of the section `alignment` of params.yaml."""
    where = f"alignment.{name}"
    found: Alignment = lookup.configure(Alignment, values, where)
    if not found.chain:
        known = lookup.names("alignment")
        raise ConfigurationError(f"{where}.chain: no aligner, expected some of {known}")
    lookup.configure(_check.Config, found.check, f"{where}.check")
    for aligner, own in found.chain.items():
        config = lookup.component("alignment", aligner).Config
        lookup.configure(config, own, f"{where}.chain.{aligner}")
    return found
