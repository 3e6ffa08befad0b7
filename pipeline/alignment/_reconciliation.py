"""The fit of timed words from a file to the words of a transcript."""

import unicodedata
from collections.abc import Sequence

from pipeline.alignment._word_times import UNKNOWN
from pipeline.schema import AlignmentError, TimedWord, Utterance, WordSpan

# Aligners end the last word on their frame grid, up to a few frames past the last
# sample.
GRID_SLACK = 0.1


def reconcile(words: Sequence[str], timed: Sequence[TimedWord]) -> list[TimedWord]:
    """The times of a transcript's words, from tokens that may be divided, cased and
    punctuated differently.

    Tokens are matched by their letters: "can not" gives the time of "cannot", and
    Mandarin tokens give the times of jieba's words; where they are divided differently,
    each letter gets an equal part of its token's time. `<unk>` stands for any one word.
    Raises AlignmentError 'words differ' where the letters differ.
    """
    result: list[TimedWord] = []
    position = 0
    tokens = [(_letters(item.word), item) for item in timed]
    index = 0
    while index < len(words):
        if position < len(tokens) and tokens[position][1].word.lower() in UNKNOWN:
            result.append(tokens[position][1]._replace(word=words[index]))
            index, position = index + 1, position + 1
            continue
        own = [_letters(words[index])]
        theirs: list[str] = []
        while len(theirs) == 0 or len("".join(own)) != len("".join(theirs)):
            if len("".join(own)) < len("".join(theirs)) and index + len(own) < len(words):
                own.append(_letters(words[index + len(own)]))
            elif len("".join(own)) >= len("".join(theirs)) and position + len(theirs) < len(tokens):
                theirs.append(tokens[position + len(theirs)][0])
            else:
                break
        if "".join(own) != "".join(theirs) or not all(own):
            against = " ".join(item.word for item in timed[position : position + 3])
            detail = f"word {index} {words[index]!r} against {against!r}"
            raise AlignmentError("words differ", detail)
        group = [item for _, item in tokens[position : position + len(theirs)]]
        result += _share(words[index : index + len(own)], own, group, theirs)
        index, position = index + len(own), position + len(theirs)
    if any(letters for letters, _ in tokens[position:]):
        raise AlignmentError(
            "words differ", f"{tokens[position][1].word!r} follows the last word of the transcript"
        )
    return result


def spans(
    utterance: Utterance, timed: Sequence[TimedWord], duration: float, aligner: str
) -> list[WordSpan]:
    """Word spans of an utterance of `duration` seconds from the tokens of an alignment
    file, reconciled and checked.

    Raises AlignmentError for other words, times that run backwards, and times outside
    the recording.
    """
    result: list[WordSpan] = []
    previous = 0.0
    for index, item in enumerate(reconcile(utterance.words, timed)):
        start, end = max(item.start, 0.0), min(item.end, duration)
        place = f"word {index} {item.word!r} at {item.start:.3f}-{item.end:.3f} s"
        if item.start < -GRID_SLACK or item.end > duration + GRID_SLACK:
            raise AlignmentError("times outside the recording", f"{place} of {duration:.3f} s")
        if not previous - 1e-3 <= start < end:
            raise AlignmentError("times out of order", f"{place} after {previous:.3f} s")
        start = max(start, previous)
        word, times = utterance.words[index], (round(start, 6), round(end, 6))
        result.append(
            WordSpan(utterance.utterance_id, index, word, *times, item.confidence, aligner)
        )
        previous = end
    return result


def _share(
    words: Sequence[str], own: Sequence[str], group: Sequence[TimedWord], theirs: Sequence[str]
) -> list[TimedWord]:
    """Times of words from tokens that have the same letters together."""
    edges = []
    for item, letters in zip(group, theirs, strict=True):
        step = (item.end - item.start) / max(len(letters), 1)
        edges += [(item.start + k * step, item.start + (k + 1) * step) for k in range(len(letters))]
    known = [item.confidence for item in group if item.confidence is not None]
    confidence = min(known) if known else None
    result, first = [], 0
    for word, letters in zip(words, own, strict=True):
        last = first + len(letters) - 1
        result.append(TimedWord(word, edges[first][0], edges[last][1], confidence))
        first = last + 1
    return result


def _letters(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word).casefold()
    return "".join(letter for letter in folded if letter.isalnum())
