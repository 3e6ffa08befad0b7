import io

import numpy as np
import pytest
import soundfile
import soxr

from pipeline.corpora._fingerprint import fingerprint
from pipeline.schema import FINGERPRINT_LOUD
from tests.resources.recordings import babble

SPOKEN = babble()


def codes(waveform: np.ndarray, rate: int = 16000) -> np.ndarray:
    return np.frombuffer(fingerprint(np.asarray(waveform, dtype=np.float32), rate), "<u2")


def different(one: np.ndarray, other: np.ndarray) -> float:
    """The share of bits that differ where both are loud."""
    shorter = min(len(one), len(other))
    one, other = one[:shorter], other[:shorter]
    both = (one & other) >= FINGERPRINT_LOUD
    assert both.sum() > 20
    bits = (one ^ other)[both, None] >> np.arange(15) & 1
    return float(bits.mean())


def ogg(waveform: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, waveform, 16000, format="OGG", subtype="VORBIS")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def test_a_code_every_20_ms_of_what_is_loud():
    found = codes(SPOKEN)
    assert len(found) == int((2.0 - 0.048) / 0.02) + 1 - 7 - 6 + 1
    silence = np.zeros(16000)
    padded = codes(np.concatenate([silence, SPOKEN, silence]))
    assert not padded[:30].any() and not padded[-30:].any()
    assert (found >= FINGERPRINT_LOUD).mean() > 0.9
    assert len(np.unique(found)) > 0.8 * len(found), "they say something"


@pytest.mark.parametrize(
    ("copy", "rate", "most"),
    [
        (SPOKEN / 4, 16000, 0.0),
        (ogg(SPOKEN), 16000, 0.08),
        (soxr.resample(SPOKEN, 16000, 48000), 48000, 0.03),
        (soxr.resample(SPOKEN, 16000, 44100), 44100, 0.08),
        (soxr.resample(SPOKEN, 16000, 8000), 8000, 0.06),
        (SPOKEN[3200:], 16000, 0.01),
    ],
)
def test_a_copy_has_nearly_the_same_bits(copy, rate, most):
    whole = codes(SPOKEN)[10:] if len(copy) == len(SPOKEN) - 3200 else codes(SPOKEN)
    assert different(whole, codes(copy, rate)) <= most


@pytest.mark.parametrize("other", [babble(said=1), babble(take=1)])
def test_another_sentence_or_take_has_other_bits(other):
    assert different(codes(SPOKEN), codes(other)) > 0.25


@pytest.mark.parametrize(
    ("waveform", "rate"),
    [(SPOKEN[:4000], 16000), (SPOKEN, 3900), (SPOKEN[:1], 16000), (SPOKEN[:0], 48000)],
)
def test_what_is_too_short_or_too_low_has_no_codes(waveform, rate):
    assert fingerprint(waveform, rate) == b""


def test_silence_has_no_bits():
    assert not codes(np.zeros(16000)).any()
