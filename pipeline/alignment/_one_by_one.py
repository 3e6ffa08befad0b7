"""The loop of the aligners that take one utterance at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.audio import AudioError
from pipeline.schema import AlignmentError, Utterance, WordSpan

Answers = Iterator[tuple[str, list[WordSpan] | AlignmentError]]


def aligner(
    place: Callable[[Utterance, Any], list[WordSpan]],
) -> Callable[[Sequence[Utterance], Any], Answers]:
    """A module's `align(utterances, config)` from its placing of one utterance."""

    def align(utterances: Sequence[Utterance], config: Any) -> Answers:
        """Word spans or the AlignmentError of each utterance, in order; times in
        seconds from the utterance's start.
        """
        # An utterance that fails does not stop the others.
        for utterance in utterances:
            try:
                if not utterance.words:
                    raise AlignmentError("empty transcript", "there is no word to place")
                yield utterance.utterance_id, place(utterance, config)
            except AlignmentError as error:
                yield utterance.utterance_id, error
            except AudioError as error:
                yield utterance.utterance_id, AlignmentError(error.reason, error.detail)

    return align
