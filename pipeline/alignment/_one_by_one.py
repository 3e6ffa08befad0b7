"""Utterances aligned one at a time: what fails answers with its reason, and stops
nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.audio import AudioError
from pipeline.schema import AlignmentError, Utterance, WordSpan


def answers(
    utterances: Sequence[Utterance], place: Callable[[Utterance], list[WordSpan]]
) -> Iterator[tuple[str, list[WordSpan] | AlignmentError]]:
    """What `place` gives for each utterance, in order, or the AlignmentError that it
    raised.
    """
    for utterance in utterances:
        try:
            yield utterance.utterance_id, place(utterance)
        except AlignmentError as error:
            yield utterance.utterance_id, error
        except AudioError as error:
            yield utterance.utterance_id, AlignmentError(error.reason, error.detail)
