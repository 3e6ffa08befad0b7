"""Who says what in which manner in the two synthetic corpora.

An emotion can show in the voice and in the words, and neither is reliable. In a share
of the utterances the voice has the manner of the emotion, in a share the words name it.
Otherwise the voice lies between those of all emotions, and the words name none. In few
utterances both fail, so a system that uses both does better than one that uses either.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.demo.sentences import mandarin_sentence, sentence
from pipeline.demo.synthesis import Manner

# Shares of the utterances whose words show the emotion, and of those whose voice does
# where the words do and do not.
WORDS_SHOW = 0.58
VOICE_SHOWS = {True: 0.6, False: 0.8}

# Voice, pitch and words per minute at rest: a woman and a man in each session.
SPEAKERS = {
    "Ses01_F": Manner("en-us+f1", 52, 50, 177), "Ses01_M": Manner("en-us+m1", 46, 50, 182),
    "Ses02_F": Manner("en-us+Annie", 40, 50, 192), "Ses02_M": Manner("en-us+m3", 52, 50, 184),
    "Ses03_F": Manner("en-us+steph", 55, 50, 178), "Ses03_M": Manner("en-us+m7", 48, 50, 184),
    "Ses04_F": Manner("en-us+belinda", 44, 50, 182), "Ses04_M": Manner("en-us+m4", 50, 50, 177),
    "Ses05_F": Manner("en+f3", 49, 50, 180), "Ses05_M": Manner("en+m8", 52, 50, 186),
}  # fmt: skip
MANDARIN_SPEAKERS = {
    "speaker1": Manner("cmn+f1", 50, 50, 235), "speaker2": Manner("cmn+m1", 48, 50, 225),
    "speaker3": Manner("cmn+f3", 47, 50, 245), "speaker4": Manner("cmn+m3", 52, 50, 240),
    "speaker5": Manner("cmn+f4", 50, 50, 230), "speaker6": Manner("cmn+m4", 50, 50, 250),
    "speaker7": Manner("cmn+f2", 48, 50, 240),
}  # fmt: skip


@dataclass(frozen=True)
class Prosody:
    """What an emotion does to a voice.

    `pitch` is added and `pitch_range` set, both on espeak-ng's scales; `rate` is a
    factor of the words per minute, `gain` is added to the level in dB.
    """

    pitch: float
    pitch_range: float
    rate: float
    gain: float


SHOWING: Mapping[str, Prosody] = {
    "angry": Prosody(4, 68, 1.12, 8.5),
    "happy": Prosody(22, 92, 1.0, 0.5),
    "excited": Prosody(26, 98, 1.08, 2.0),
    "sad": Prosody(-14, 36, 0.83, -8.0),
    "neutral": Prosody(-8, 10, 1.14, -1.0),
    "negative": Prosody(-12, 28, 0.86, -5.0),
    "positive": Prosody(18, 85, 1.12, 4.0),
}
LEVEL = -25.0  # dB of full scale (RMS) at rest
BETWEEN = Prosody(4, 56, 1.0, 0.5)
# Standard deviations of the four, in a voice that shows its emotion and in one that
# shows none.
SPREAD = Prosody(3, 7, 0.04, 1.2)
WIDE_SPREAD = Prosody(6, 12, 0.06, 2.0)

# Per speaker: 30 improvised and 20 scripted utterances.
IMPROVISED = {"angry": 6, "happy": 5, "excited": 5, "sad": 6, "neutral": 8}
SCRIPTED = {"angry": 5, "happy": 3, "excited": 3, "sad": 5, "neutral": 4}
VIDEOS, CLIPS = 14, {"negative": 6, "neutral": 5, "positive": 5}


@dataclass(frozen=True)
class Line:
    """One utterance to be synthesised and what is known of it."""

    utterance_id: str
    transcript: str
    language: str
    speaker: str
    session: str
    dialogue: str
    style: str
    emotion: str
    sentiment: float | None
    voice_shows_emotion: bool
    words_show_emotion: bool
    manner: Manner


def plan(corpus: str, seed: int = 0) -> list[Line]:
    """Every utterance of a demo corpus, sorted by id.

    `demo` is English in the structure of IEMOCAP, `demo_zh` Mandarin in that of
    CH-SIMS.
    """
    lines = _english(seed) if corpus == "demo" else _mandarin(seed)
    return sorted(lines, key=lambda line: line.utterance_id)


def _english(seed: int) -> Iterator[Line]:
    scripts = {part: _script(chance_of(seed, "script", part)) for part in ("F", "M")}
    for speaker, rest in SPEAKERS.items():
        session, part = speaker.split("_")
        chance = chance_of(seed, speaker)
        numbers = {"improvised": 0, "scripted": 0}
        said = [*_improvised(chance), *_performed(scripts[part], chance)]
        voices = _voices([(emotion, words_show) for _, emotion, words_show, _ in said], chance)
        for (style, emotion, words_show, text), voice_shows in zip(said, voices, strict=True):
            kind, dialogues = ("impro", 4) if style == "improvised" else ("script", 2)
            turn, dialogue = divmod(numbers[style], dialogues)
            numbers[style] += 1
            dialogue_id = f"{session}_{kind}{dialogue + 1:02d}"
            yield Line(
                utterance_id=f"{dialogue_id}_{part}{turn:03d}",
                transcript=text,
                language="en",
                speaker=speaker,
                session=session,
                dialogue=dialogue_id,
                style=style,
                emotion=emotion,
                sentiment=None,
                voice_shows_emotion=voice_shows,
                words_show_emotion=words_show,
                manner=_manner(rest, emotion if voice_shows else None, chance),
            )


def _improvised(chance: random.Random) -> Iterator[tuple[str, str, bool, str]]:
    """Style, emotion, whether the words show it, and the words."""
    emotions = _shuffled(IMPROVISED, chance)
    for emotion, shows in zip(emotions, _words(emotions, chance), strict=True):
        yield "improvised", emotion, shows, sentence(emotion if shows else None, chance)


def _script(chance: random.Random) -> list[tuple[str | None, str]]:
    """One part of the play that all sessions perform: each line with the emotion that
    its words show, None where they show none.
    """
    emotions = _shuffled(SCRIPTED, chance)
    cues = [
        emotion if shows else None
        for emotion, shows in zip(emotions, _deck(len(emotions), WORDS_SHOW, chance), strict=True)
    ]
    return [(cue, sentence(cue, chance)) for cue in cues]


def _performed(
    script: Sequence[tuple[str | None, str]], chance: random.Random
) -> Iterator[tuple[str, str, bool, str]]:
    """As `_improvised`, for a script.

    The lines whose words show no emotion get the emotions of SCRIPTED that the other
    lines leave, in an order that each speaker draws.
    """
    left = _shuffled(SCRIPTED, chance)
    for cue, _ in script:
        if cue is not None:
            left.remove(cue)
    for cue, text in script:
        yield "scripted", cue or left.pop(), cue is not None, text


def _mandarin(seed: int) -> Iterator[Line]:
    casts = list(MANDARIN_SPEAKERS.items())
    for number in range(VIDEOS):
        speaker, rest = casts[number % len(casts)]
        video = f"video{number + 1:02d}"
        chance = chance_of(seed, video)
        sentiments = _shuffled(CLIPS, chance)
        words = _words(sentiments, chance)
        decks = zip(
            sentiments,
            words,
            _voices(list(zip(sentiments, words, strict=True)), chance),
            strict=True,
        )
        for clip, (sentiment, words_show, voice_shows) in enumerate(decks):
            strength = chance.choice((0.2, 0.4, 0.6, 0.8, 1.0))
            yield Line(
                utterance_id=f"{video}_{clip:03d}",
                transcript=mandarin_sentence(sentiment if words_show else None, chance),
                language="zh",
                speaker=speaker,
                session="",
                dialogue=video,
                style="",
                emotion=sentiment,
                sentiment={"negative": -strength, "neutral": 0.0, "positive": strength}[sentiment],
                voice_shows_emotion=voice_shows,
                words_show_emotion=words_show,
                manner=_manner(rest, sentiment if voice_shows else None, chance),
            )


def _manner(rest: Manner, emotion: str | None, chance: random.Random) -> Manner:
    """How a speaker sounds in an emotion; None for a voice that shows none."""
    centre, spread = (BETWEEN, WIDE_SPREAD) if emotion is None else (SHOWING[emotion], SPREAD)
    return Manner(
        voice=rest.voice,
        pitch=_limited(rest.pitch + chance.gauss(centre.pitch, spread.pitch), 5, 99),
        pitch_range=_limited(chance.gauss(centre.pitch_range, spread.pitch_range), 5, 99),
        words_per_minute=_limited(
            rest.words_per_minute * chance.gauss(centre.rate, spread.rate), 90, 300
        ),
        level=LEVEL + _limited(chance.gauss(centre.gain, spread.gain), -12, 9),
    )


def _limited(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)


def _shuffled(counts: Mapping[str, int], chance: random.Random) -> list[str]:
    emotions = [emotion for emotion, count in counts.items() for _ in range(count)]
    chance.shuffle(emotions)
    return emotions


def _deck(size: int, share: float, chance: random.Random) -> list[bool]:
    """True for a fixed share of `size` utterances, in random order.

    With independent draws the speakers would differ in the share.
    """
    # Rounded up or down by chance, because small decks would otherwise all miss the
    # share in the same direction.
    count = int(share * size + chance.random())
    deck = [index < count for index in range(size)]
    chance.shuffle(deck)
    return deck


def _words(emotions: Sequence[str], chance: random.Random) -> list[bool]:
    """Which utterances show their emotion in their words, the same share of each."""
    decks = {
        emotion: _deck(emotions.count(emotion), WORDS_SHOW, chance)
        for emotion in sorted(set(emotions))
    }
    return [decks[emotion].pop() for emotion in emotions]


def _voices(views: Sequence[tuple[str, bool]], chance: random.Random) -> list[bool]:
    """Which utterances show their emotion in the voice.

    `views` are their emotions and whether the words show them.
    """
    decks = {
        view: _deck(views.count(view), VOICE_SHOWS[view[1]], chance) for view in sorted(set(views))
    }
    return [decks[view].pop() for view in views]


def chance_of(*parts: object) -> random.Random:
    """Random numbers that depend on the parts alone, in every process."""
    # It draws sentences and voices, which shall be the same everywhere.
    return random.Random(hashlib.sha256(repr(parts).encode()).digest())  # noqa: S311
