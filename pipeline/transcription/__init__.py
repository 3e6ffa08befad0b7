"""Transcription: each module writes down what is said in a recording."""

from dataclasses import field
from typing import Any

from pydantic import Field

from pipeline import lookup
from pipeline.lookup import ConfigurationError, checked
from pipeline.transcription._corpus import (
    provenance,
    read,
    spoken,
    transcribe,
    transcribe_corpus,
    transcribed,
    write,
)

__all__ = [
    "Transcription",
    "provenance",
    "read",
    "settings",
    "spoken",
    "transcribe",
    "transcribe_corpus",
    "transcribed",
    "write",
]


@checked
class Transcription:
    """A chain of recognisers: each writes down what the one before it could not.

    The build stops when more than `max_failed_share` of the recordings have no words.
    """

    chain: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    max_failed_share: float = Field(default=0.2, ge=0, le=1)


def settings(name: str, values: Any) -> Transcription:
    """The checked entry `name` of the section `transcription` of params.yaml."""
    where = f"transcription.{name}"
    found: Transcription = lookup.configure(Transcription, values, where)
    if not found.chain:
        known = lookup.names("transcription")
        raise ConfigurationError(f"{where}.chain: no recogniser, expected some of {known}")
    for recogniser, own in found.chain.items():
        config = lookup.component("transcription", recogniser).Config
        lookup.configure(config, own, f"{where}.chain.{recogniser}")
    return found
