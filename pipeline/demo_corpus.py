"""The two synthetic demo corpora: who says what in which manner, and how they are written down.

An utterance is seen twice, and each view is unreliable by itself: with the probability SHOWN the voice has the manner
of its emotion, and independently of that the words name it; otherwise the view lies between all emotions and tells
little. So both together are worth clearly more than either alone. Scores on such speech say that the machinery works,
and nothing about people.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import tokens
from pipeline.demo_sentences import mandarin_sentence, sentence
from pipeline.synthesis import Manner, Speech, speak

SHOWN = 0.65
CORPORA = ("demo", "demo_zh")
SAMPLING_RATE = {"demo": 16000, "demo_zh": 22050}  # Hz; the second needs resampling, as most corpora do
COLUMNS = (
    "utterance_id", "audio", "transcript", "language", "speaker", "session", "dialogue", "style",
    "emotion", "sentiment", "voice_shows_emotion", "words_show_emotion",
)  # fmt: skip
WORD_COLUMNS = ("utterance_id", "word_index", "word", "start", "end")

# Voice, pitch and words per minute at rest: a woman and a man in each session.
SPEAKERS = {
    "Ses01_F": Manner("en-us+f1", 52, 50, 165), "Ses01_M": Manner("en-us+m1", 46, 50, 160),
    "Ses02_F": Manner("en-us+f2", 46, 50, 175), "Ses02_M": Manner("en-us+m3", 52, 50, 172),
    "Ses03_F": Manner("en-us+f3", 50, 50, 158), "Ses03_M": Manner("en-us+m7", 48, 50, 225),
    "Ses04_F": Manner("en-us+f4", 47, 50, 170), "Ses04_M": Manner("en-us+m4", 50, 50, 165),
    "Ses05_F": Manner("en+f5", 49, 50, 168), "Ses05_M": Manner("en+m8", 52, 50, 174),
}  # fmt: skip
MANDARIN_SPEAKERS = {
    "speaker1": Manner("cmn+f1", 50, 50, 235), "speaker2": Manner("cmn+m1", 48, 50, 225),
    "speaker3": Manner("cmn+f3", 47, 50, 245), "speaker4": Manner("cmn+m3", 52, 50, 240),
    "speaker5": Manner("cmn+f4", 50, 50, 230), "speaker6": Manner("cmn+m4", 50, 50, 250),
    "speaker7": Manner("cmn+f2", 48, 50, 240),
}  # fmt: skip


@dataclass(frozen=True)
class Prosody:
    """What an emotion does to a voice: added pitch, pitch range (espeak-ng's scales), rate as a factor, level in dB."""

    pitch: float
    pitch_range: float
    rate: float
    gain: float


SHOWING: Mapping[str, Prosody] = {
    "angry": Prosody(6, 70, 1.17, 7.0),
    "happy": Prosody(18, 88, 1.05, 1.5),
    "excited": Prosody(22, 95, 1.15, 3.5),
    "sad": Prosody(-14, 22, 0.80, -6.5),
    "neutral": Prosody(-3, 34, 1.02, -1.0),
    "negative": Prosody(-12, 28, 0.84, -5.0),
    "positive": Prosody(18, 85, 1.12, 4.0),
}
LEVEL = -25.0  # dB of full scale (RMS) at rest
BETWEEN = Prosody(4, 56, 1.0, 0.5)
# Standard deviations of the four: within an emotion, and of a voice that shows none.
SPREAD = Prosody(4, 9, 0.05, 1.5)
WIDE_SPREAD = Prosody(7, 14, 0.07, 2.5)

# Per speaker: 28 improvised and 20 scripted utterances.
IMPROVISED = {"angry": 6, "happy": 4, "excited": 4, "sad": 6, "neutral": 8}
SCRIPTED = {"angry": 5, "happy": 2, "excited": 3, "sad": 5, "neutral": 5}
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
    """Every utterance of `demo` (English, structured as IEMOCAP) or `demo_zh` (Mandarin, as CH-SIMS), sorted by id."""
    lines = _english(seed) if corpus == "demo" else _mandarin(seed)
    return sorted(lines, key=lambda line: line.utterance_id)


def perform(line: Line, sampling_rate: int) -> tuple[Speech, list[tuple[str, float, float]]]:
    """Speaks a line: the speech, and each word of its transcript with start and end in seconds."""
    words = tokens.words(line.transcript, line.language)
    chance = _chance(line.utterance_id)
    speech = speak(
        line.transcript,
        list(_positions(line.transcript, words)),
        line.manner,
        sampling_rate=sampling_rate,
        padding=(chance.uniform(0.1, 0.3), chance.uniform(0.1, 0.3)),
        seed=chance.getrandbits(31),
    )
    return speech, [(word, *times) for word, times in zip(words, speech.times, strict=True)]


def write(corpus: str, lines: Iterable[Line], folder: Path) -> list[float]:
    """Writes the audio, utterances.csv, words.csv (the true word times) and README.txt; returns durations in seconds."""
    import soundfile

    (folder / "wav").mkdir(parents=True, exist_ok=True)
    rows, word_rows, durations = [], [], []
    for line in lines:
        speech, words = perform(line, SAMPLING_RATE[corpus])
        name = f"wav/{line.utterance_id}.wav"
        soundfile.write(str(folder / name), speech.waveform, speech.sampling_rate, subtype="PCM_16")
        sentiment = "" if line.sentiment is None else f"{line.sentiment:.1f}"
        known = {**vars(line), "audio": name, "sentiment": sentiment}
        rows.append([str(known[column]) for column in COLUMNS])
        word_rows += [
            [line.utterance_id, str(index), word, f"{start:.4f}", f"{end:.4f}"]
            for index, (word, start, end) in enumerate(words)
        ]
        durations.append(len(speech.waveform) / speech.sampling_rate)
    _write_table(folder / "utterances.csv", COLUMNS, rows)
    _write_table(folder / "words.csv", WORD_COLUMNS, word_rows)
    (folder / "README.txt").write_text(README, encoding="utf-8")
    return durations


README = """Synthetic speech, made by espeak-ng (library espeakng-loader) for trying the pipeline.

No human being speaks here. Scores on this corpus show that the machinery works, and nothing else.

wav/             one file per utterance
utterances.csv   transcript, speaker, session, emotion and the rest; voice_shows_emotion and words_show_emotion say
                 which of the two views was made to carry the emotion (for analysis, not for training)
words.csv        the true start and end of each word, in seconds, from the synthesiser's own events
"""


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _english(seed: int) -> Iterator[Line]:
    script = {part: _script(_chance(seed, "script", part)) for part in ("F", "M")}
    for speaker, rest in SPEAKERS.items():
        session, part = speaker.split("_")
        chance = _chance(seed, speaker)
        improvised = _shuffled(IMPROVISED, chance)
        for number, emotion in enumerate(improvised):
            shows = chance.random() < SHOWN
            text = sentence(emotion if shows else None, chance)
            dialogue = f"{session}_impro{1 + number % 4:02d}"
            yield _line(
                f"{dialogue}_{part}{number // 4:03d}", text, shows, emotion, "improvised", speaker, rest, chance
            )
        # Open lines tell nothing by their words: each cast reads them with the emotions that the others leave over.
        left = _shuffled(SCRIPTED, chance)
        for written, _ in script[part]:
            if written is not None:
                left.remove(written)
        for number, (written, text) in enumerate(script[part]):
            emotion = written if written is not None else left.pop()
            utterance_id = f"{session}_script{1 + number % 2:02d}_{part}{number // 2:03d}"
            yield _line(utterance_id, text, written is not None, emotion, "scripted", speaker, rest, chance)


def _script(chance: random.Random) -> list[tuple[str | None, str]]:
    """A part of the play that all sessions perform: lines and the emotion they were written for, None for open ones."""
    emotions = _shuffled(SCRIPTED, chance)
    written = {index for index, _ in enumerate(emotions[: round(SHOWN * len(emotions))])}
    cues = [emotion if index in written else None for index, emotion in enumerate(emotions)]
    chance.shuffle(cues)
    return [(cue, sentence(cue, chance)) for cue in cues]


def _mandarin(seed: int) -> Iterator[Line]:
    casts = list(MANDARIN_SPEAKERS.items())
    for video in range(VIDEOS):
        speaker, rest = casts[video % len(casts)]
        chance = _chance(seed, "video", video)
        for number, sentiment in enumerate(_shuffled(CLIPS, chance)):
            shows = chance.random() < SHOWN
            text = mandarin_sentence(sentiment if shows else None, chance)
            strength = chance.choice((0.2, 0.4, 0.6, 0.8, 1.0))
            utterance_id = f"video{video + 1:02d}_{number:03d}"
            line = _line(utterance_id, text, shows, sentiment, "", speaker, rest, chance)
            rating = {"negative": -strength, "neutral": 0.0, "positive": strength}[sentiment]
            yield replace(line, language="zh", session="", dialogue=f"video{video + 1:02d}", sentiment=rating)


def _line(
    utterance_id: str,
    text: str,
    words_show: bool,
    emotion: str,
    style: str,
    speaker: str,
    rest: Manner,
    chance: random.Random,
) -> Line:
    voice_shows = chance.random() < SHOWN
    centre, spread = (SHOWING[emotion], SPREAD) if voice_shows else (BETWEEN, WIDE_SPREAD)
    manner = Manner(
        voice=rest.voice,
        pitch=_limited(rest.pitch + chance.gauss(centre.pitch, spread.pitch), 5, 99),
        pitch_range=_limited(chance.gauss(centre.pitch_range, spread.pitch_range), 5, 99),
        words_per_minute=_limited(rest.words_per_minute * chance.gauss(centre.rate, spread.rate), 90, 300),
        level=LEVEL + _limited(chance.gauss(centre.gain, spread.gain), -12, 9),
    )
    session, _, _ = utterance_id.partition("_")
    dialogue = utterance_id.rpartition("_")[0]
    return Line(
        utterance_id, text, "en", speaker, session, dialogue, style, emotion, None, voice_shows, words_show, manner
    )


def _limited(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)


def _shuffled(counts: Mapping[str, int], chance: random.Random) -> list[str]:
    emotions = [emotion for emotion, count in counts.items() for _ in range(count)]
    chance.shuffle(emotions)
    return emotions


def _positions(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First and last + 1 character of each word in the text."""
    lower, position = text.lower(), 0
    for word in words:
        first = lower.index(word, position)
        position = first + len(word)
        yield first, position


def _chance(*parts: object) -> random.Random:
    """Random numbers that depend on the parts alone, in every process."""
    return random.Random(hashlib.sha256(repr(parts).encode()).digest())
