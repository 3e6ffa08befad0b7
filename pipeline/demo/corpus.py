"""The synthetic corpora as files: recordings, transcripts and true word times."""

import csv
import shutil
import wave
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline import tokens
from pipeline.demo.plan import Line, chance_of, plan
from pipeline.demo.synthesis import Speech, speak

SAMPLING_RATE = {"demo": 16000, "demo_zh": 22050}  # Hz; the second needs resampling
COLUMNS = (
    "utterance_id", "audio", "transcript", "language", "speaker", "session", "dialogue", "style",
    "emotion", "sentiment", "voice_shows_emotion", "words_show_emotion",
)  # fmt: skip
WORD_COLUMNS = ("utterance_id", "word_index", "word", "start", "end")


def synthesise(corpus: str, folder: Path, seed: int = 0) -> list[float]:
    """Writes a demo corpus in place of what `folder` held; durations in seconds."""
    lines = plan(corpus, seed)
    shutil.rmtree(folder / "wav", ignore_errors=True)
    return write(corpus, lines, folder)


def perform(line: Line, sampling_rate: int) -> tuple[Speech, list[tuple[str, float, float]]]:
    """The speech of a line, and its words with start and end in seconds."""
    words = tokens.words(line.transcript, line.language)
    chance = chance_of(line.utterance_id)
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
    """Writes recordings, utterances.csv, words.csv (the true word times), README.txt.

    Returns the duration of each utterance in seconds.
    """
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    rows, word_rows, durations = [], [], []
    for line in lines:
        speech, words = perform(line, SAMPLING_RATE[corpus])
        name = f"wav/{line.utterance_id}.wav"
        # Not by libsndfile, which does not say why it could not write a file. Like it,
        # samples are rounded to 32 bits and cut to the upper 16.
        samples = np.rint(speech.waveform * np.float32(2**31)).astype(np.int64) >> 16
        with wave.open(str(folder / name), "wb") as recording:
            recording.setparams((1, 2, speech.sampling_rate, 0, "NONE", ""))
            recording.writeframes(np.minimum(samples, 2**15 - 1).astype("<i2"))
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
utterances.csv   transcript, speaker, session, emotion and the rest; voice_shows_emotion and \
words_show_emotion say
                 which of the two views was made to carry the emotion \
(for analysis, not for training)
words.csv        the true start and end of each word, in seconds, from the synthesiser's own events
"""


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _positions(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First and last + 1 character of each word in the text."""
    lower, position = text.lower(), 0
    for word in words:
        first = lower.index(word, position)
        position = first + len(word)
        yield first, position
