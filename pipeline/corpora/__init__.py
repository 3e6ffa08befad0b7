"""Corpora: each module reads the files of one corpus; `prepare` decodes what it finds."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from pipeline import lookup, tokens
from pipeline.corpora._preparation import flag_duplicates, prepare_utterance
from pipeline.corpora._totals import Totals, differences, missing_parts
from pipeline.lookup import ConfigurationError

__all__ = [
    "Corpus",
    "Totals",
    "differences",
    "flag_duplicates",
    "missing_parts",
    "prepare_utterance",
    "settings",
]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Corpus:
    """Where a corpus lies, its reader's settings, how its text becomes words."""

    root: str
    reader: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)


def settings(name: str, values: Any) -> Corpus:
    """The checked entry `name` of the section `corpora` of params.yaml."""
    corpus: Corpus = lookup.configure(Corpus, values, f"corpora.{name}")
    if "$" in corpus.root or corpus.root.startswith("~"):
        raise ConfigurationError(
            f"corpora.{name}.root: {corpus.root!r} would not be expanded by DVC, write the path "
            "itself or a link below data/raw"
        )
    reader = lookup.component("corpora", name).Config
    lookup.configure(reader, corpus.reader, f"corpora.{name}.reader")
    lookup.configure(tokens.Config, corpus.tokens, f"corpora.{name}.tokens")
    return corpus
