"""The loop of the aligners that take one utterance at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.audio import AudioError
from pipeline.schema import AlignmentError, Utterance, WordSpan


def answers(
    utterances: Sequence[Utterance], place: Callable[[Utterance], list[WordSpan]]
) -> Iterator[tuple[str, list[WordSpan] | AlignmentError]]:
    """The spans that `place` gives for each utterance, in order, or its error.

    An utterance that fails does not stop the others.
    """
    for utterance in utterances:
        try:
            if not utterance.words:
                raise AlignmentError("empty transcript", "there is no word to place")
            yield utterance.utterance_id, place(utterance)
        except AlignmentError as error:
            yield utterance.utterance_id, error
        except AudioError as error:
            yield utterance.utterance_id, AlignmentError(error.reason, error.detail)
