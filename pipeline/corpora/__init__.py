"""Corpora: each module reads the files of one corpus, for the stage prepare."""

from dataclasses import field
from typing import Any

from pipeline import folders, lookup, tokens
from pipeline.audio import is_url
from pipeline.corpora._licence import Licence
from pipeline.corpora._listing import files, hidden_metadata
from pipeline.corpora._preparation import flag_duplicates, prepare_all, require_usable, together
from pipeline.corpora._recordings import SOURCE, Known, read_corpus, recall, remember
from pipeline.corpora._totals import Totals, differences, missing_parts
from pipeline.corpora._unlabelled import recordings
from pipeline.corpora._video import sound_track
from pipeline.lookup import ConfigurationError, checked

__all__ = [
    "SOURCE",
    "Corpus",
    "Known",
    "Licence",
    "Totals",
    "differences",
    "files",
    "flag_duplicates",
    "hidden_metadata",
    "missing_parts",
    "prepare_all",
    "read_corpus",
    "recall",
    "recordings",
    "remember",
    "require_usable",
    "settings",
    "sound_track",
    "together",
]


@checked
class Corpus:
    """Where a corpus lies, its reader's settings, how its text becomes words.

    `transcription` names an entry of the section `transcription`: who writes down what
    is said. `redistribution` says whether what is made of this copy may be given to
    anybody, where that differs from the licence that the corpus's module states.
    """

    root: str
    reader: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    transcription: str | None = None
    redistribution: bool | None = None

    @property
    def joins(self) -> list[str]:
        """The prepared corpora that it reads, by their names in params.yaml."""
        named = self.reader.get("corpora") or []
        return sorted(map(str, named)) if isinstance(named, list) else []

    @property
    def places(self) -> dict[str, str]:
        """The folders that hold the corpus, by setting. What lies in a store is not
        asked for changes.
        """
        if joined := self.joins:
            return {
                f"reader.corpora.{name}": f"{self.root}/{name}/{folders.UTTERANCES}"
                for name in joined
            }
        elsewhere = str(self.reader.get("audio_root") or "")
        found = {} if not elsewhere or is_url(elsewhere) else {"reader.audio_root": elsewhere}
        return {"root": self.root, **found}


def settings(name: str, values: Any) -> Corpus:
    """The checked entry `name` of the section `corpora` of params.yaml."""
    corpus: Corpus = lookup.configure(Corpus, values, f"corpora.{name}")
    for setting, place in corpus.places.items():
        if not place.strip() or not place.isprintable():
            raise ConfigurationError(
                f"corpora.{name}.{setting}: {lookup.shown(place)}, expected the folder of the "
                "corpus"
            )
        if is_url(place):
            raise ConfigurationError(
                f"corpora.{name}.{setting}: readers list folders, {place} is none: mount it or "
                "bring a copy; only the recordings of a manifest may lie in a store (its reader's "
                "audio_root)"
            )
        if "$" in place or place.startswith("~"):
            raise ConfigurationError(
                f"corpora.{name}.{setting}: {place!r} would not be expanded by DVC, write the path "
                "itself or a link below data/raw"
            )
    reader = lookup.component("corpora", name).Config
    lookup.configure(reader, corpus.reader, f"corpora.{name}.reader")
    lookup.configure(tokens.Config, corpus.tokens, f"corpora.{name}.tokens")
    return corpus
