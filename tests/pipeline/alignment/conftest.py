"""Speech with known word times, recordings nothing can be placed on, and stand-ins for
what a test cannot have.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.schema import Utterance
from tests.resources import aligners, small_models


def write_bad(folder: Path, good: Utterance) -> list[Utterance]:
    """Utterances that no aligner can place: silent, short, corrupt, missing, without
    audio, without words.
    """
    silent, short, corrupt = folder / "silent.wav", folder / "short.wav", folder / "corrupt.wav"
    soundfile.write(silent, np.zeros(16000), 16000)
    soundfile.write(short, 0.1 * np.random.default_rng(0).standard_normal(400), 16000)
    corrupt.write_bytes(b"RIFF\x00\x00")
    return [
        replace(good, utterance_id="silent", audio_path=str(silent)),
        replace(good, utterance_id="short", audio_path=str(short)),
        replace(good, utterance_id="corrupt", audio_path=str(corrupt)),
        replace(good, utterance_id="missing", audio_path=str(folder / "missing.wav")),
        replace(good, utterance_id="no_audio", audio_path=None),
        replace(good, utterance_id="no_words", words=()),
    ]


@pytest.fixture(scope="session")
def speech(tmp_path_factory):
    """Utterances, and their true spans by utterance_id."""
    return aligners.write_speech(tmp_path_factory.mktemp("speech"))


@pytest.fixture
def bad(speech, tmp_path):
    """Utterances that no aligner can place."""
    return write_bad(tmp_path, speech[0][0])


@pytest.fixture
def fake_mfa(tmp_path):
    """A function that writes the program with a behaviour and gives its path and its
    log.
    """
    return lambda **behaviour: aligners.write_mfa(tmp_path / "bin", **behaviour)


@pytest.fixture(scope="session")
def ordinary_mfa(tmp_path_factory):
    """The path of a program that aligns everything."""
    return aligners.write_mfa(tmp_path_factory.mktemp("mfa"))[0]


@pytest.fixture(scope="session")
def recogniser(tmp_path_factory):
    """The folder of a small letter-level CTC model with random weights."""
    return small_models.write_recogniser(tmp_path_factory.mktemp("recogniser"))
