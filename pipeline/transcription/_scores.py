"""Recognised words against a reference: word and character error rates."""

from collections.abc import Sequence
from typing import Any


def error_rates(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> dict[str, Any]:
    """Word and character error rate over (reference words, recognised words) pairs, and
    what the errors are; {} where no reference has a word.

    Errors are summed over the corpus before they are divided by the reference's words,
    or its characters with one blank between words.
    """
    import jiwer

    known = [(list(said), list(heard)) for said, heard in pairs if said]
    if not known:
        return {}
    references = [" ".join(said) for said, _ in known]
    found = [" ".join(heard) for _, heard in known]
    words = jiwer.process_words(references, found)
    return {
        "compared": len(known),
        "reference_words": words.hits + words.substitutions + words.deletions,
        "wer": round(words.wer, 6),
        "cer": round(jiwer.process_characters(references, found).cer, 6),
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "exact": sum(said == heard for said, heard in known),
    }
