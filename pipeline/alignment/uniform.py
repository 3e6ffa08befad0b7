"""Words spread over the voiced part of the clip, each as long as its share of the
letters: the last resort of a chain.
"""

import numpy as np
from pydantic import Field

from pipeline.alignment import _one_by_one as one_by_one
from pipeline.alignment import _voice as voice
from pipeline.lookup import checked
from pipeline.schema import AlignmentError, Utterance, WordSpan

# Agreement with the voice says nothing about words that were placed by it.
PLACES_BY_VOICE = True
NAME = "uniform"


@checked
class Config:
    """min_word: seconds of voice that a word must have on average. skip_pauses: words
    are spread over the voiced parts, not over the pauses between them.
    """

    min_word: float = Field(default=0.03, gt=0)
    skip_pauses: bool = True


@one_by_one.aligner
def align(utterance: Utterance, config: Config) -> list[WordSpan]:
    """Each word's share of the voice by its share of the letters."""
    heard = voice.of(utterance)
    if heard.end - heard.start < config.min_word * len(utterance.words):
        detail = f"{heard.end - heard.start:.3f} s of voice for {len(utterance.words)} words"
        raise AlignmentError(
            "audio too short", f"{detail}, expected {config.min_word} s or more for each"
        )
    letters = np.array(
        [max(1, sum(map(str.isalnum, word))) for word in utterance.words], dtype=float
    )
    shares = np.concatenate([[0.0], np.cumsum(letters) / letters.sum()])
    # The clock advances by 1 per voiced step and by 0.05 per pause, so that no word is
    # without a duration.
    steps = np.arange(heard.start, heard.end, voice.STEP)
    index = np.clip(np.round(steps / voice.STEP).astype(int), 0, len(heard.active) - 1)
    pace = np.where(heard.active[index], 1.0, 0.05 if config.skip_pauses else 1.0)
    clock = np.concatenate([[0.0], np.cumsum(pace) / pace.sum()])
    times = np.interp(shares, clock, np.append(steps, heard.end)).round(6)
    return [
        WordSpan(utterance.utterance_id, i, word, float(times[i]), float(times[i + 1]), None, NAME)
        for i, word in enumerate(utterance.words)
    ]
