"""The corpus folder that the Montreal Forced Aligner reads, and the files it answers
with.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline import audio
from pipeline.alignment import _reconciliation as reconciliation
from pipeline.alignment import _voice as voice
from pipeline.alignment import _word_times as word_times
from pipeline.schema import AlignmentError, Utterance, WordSpan

NAME = "mfa"
SAMPLING_RATE = 16000  # Hz of the files handed over
NOT_WORD = re.compile(r"[^\w']+", re.UNICODE)


def write_corpus(
    utterances: Sequence[Utterance], corpus: Path
) -> tuple[dict[int, str], dict[int, AlignmentError]]:
    """One folder per speaker with a 16 kHz wav and a .lab for each usable utterance.

    Returns their names `speaker/file`, and the errors of the others, by position. One
    bad file makes the program give up on all: only what decodes is handed over.
    """
    import soundfile

    noise = np.random.default_rng(0)
    names: dict[int, str] = {}
    failed: dict[int, AlignmentError] = {}
    speakers: dict[str | None, str] = {}
    for position, utterance in enumerate(utterances):
        tokens = [token for word in utterance.words for token in NOT_WORD.split(word) if token]
        if not tokens:
            failed[position] = AlignmentError("empty transcript", "there is no word to place")
            continue
        try:
            waveform = voice.load(utterance, SAMPLING_RATE)
            # The check asks for the voice when the program has answered: found now, it
            # needs no second decoding.
            voice.of(utterance)
        except audio.AudioError as error:
            failed[position] = AlignmentError(error.reason, error.detail)
            continue
        # Own names: identifiers of a corpus may hold separators, or differ only in
        # case.
        folder = corpus / speakers.setdefault(utterance.speaker, f"s{len(speakers):05d}")
        folder.mkdir(parents=True, exist_ok=True)
        names[position] = f"{folder.name}/u{position:07d}"
        # Exact zeros make the program drop all files of the speaker: noise of one
        # 16-bit step prevents it.
        dithered = waveform + noise.uniform(-1, 1, len(waveform)) / 32768
        sound = corpus / f"{names[position]}.wav"
        soundfile.write(sound, dithered, SAMPLING_RATE, subtype="PCM_16")
        sound.with_suffix(".lab").write_text(" ".join(tokens) + "\n", encoding="utf-8")
    return names, failed


def keep_only(corpus: Path, names: set[str], target: Path) -> None:
    """Moves the files of `names` to a corpus folder of their own."""
    for name in sorted(names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".wav", ".lab"):
            (corpus / f"{name}{suffix}").rename(target / f"{name}{suffix}")


def answer(out: Path, name: str) -> Path | None:
    """The program's answer for the file `name`, None where it left it out."""
    files = (out / f"{name}{suffix}" for suffix in (".TextGrid", ".csv", ".json"))
    return next((file for file in files if file.is_file()), None)


def read(path: Path, utterance: Utterance) -> list[WordSpan]:
    """Word spans from one TextGrid (long or short), CSV or JSON of the program, its
    tokens mapped back to our words.

    Raises AlignmentError for an unreadable file, other words, and times outside the
    recording.
    """
    speaker = path.parent.name
    try:
        match path.suffix:
            case ".csv":
                timed = next(iter(word_times.read_csv(path).values()), [])
            case ".json":
                timed = word_times.read_json(path, speaker)
            case _:
                timed = word_times.read_textgrid(path, speaker)
    except (ValueError, OSError) as error:
        raise AlignmentError("word times unreadable", str(error)) from error
    return reconciliation.spans(utterance, timed, voice.duration(utterance), NAME)
