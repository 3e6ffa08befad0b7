"""Text: each module turns the words of an utterance into vectors."""

from typing import Any

from pipeline import lookup
from pipeline.text._embedding import embed_corpus, row_names, vector_keys, vectors, word_table

__all__ = ["embed_corpus", "row_names", "settings", "vector_keys", "vectors", "word_table"]


def settings(name: str, values: Any) -> Any:
    """The checked Config under `name` of the section `text` of params.yaml."""
    return lookup.component_config("text", name, values)
