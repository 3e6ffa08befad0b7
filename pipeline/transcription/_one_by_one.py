"""The loop of the recognisers that take one utterance at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.audio import AudioError
from pipeline.schema import Transcript, TranscriptionError, Utterance

Answers = Iterator[tuple[str, Transcript | TranscriptionError]]


def recogniser(
    hear: Callable[[Utterance, Any], Transcript],
) -> Callable[[Sequence[Utterance], Any], Answers]:
    """A module's `transcribe(utterances, config)` from its hearing of one utterance."""

    def transcribe(utterances: Sequence[Utterance], config: Any) -> Answers:
        """The Transcript or the TranscriptionError of each utterance, in order."""
        # An utterance that fails does not stop the others.
        for utterance in utterances:
            try:
                heard = hear(utterance, config)
                if not heard.text.strip():
                    raise TranscriptionError("no words heard", "the recogniser wrote nothing down")
                yield utterance.utterance_id, heard
            except TranscriptionError as error:
                yield utterance.utterance_id, error
            except AudioError as error:
                yield utterance.utterance_id, TranscriptionError(error.reason, error.detail)

    return transcribe
