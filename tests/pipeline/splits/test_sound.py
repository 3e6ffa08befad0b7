"""Recordings that are nearly the same are found between training and test."""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import pytest
import soxr

from pipeline.corpora._fingerprint import fingerprint
from pipeline.lookup import ConfigurationError
from pipeline.splits import _sound
from tests.resources.divided import KINDS, corpus, divided
from tests.resources.recordings import babble

RATE = 16000
SPOKEN = babble(3.0)
LONG = np.concatenate([babble(3.0, said=7), SPOKEN, babble(3.0, said=8)])
QUIET = np.random.default_rng(5).normal(0, np.sqrt(np.mean(SPOKEN**2)) / 10, len(SPOKEN))


def table(waveforms, rate=RATE):
    codes = [
        item if item is None or isinstance(item, bytes) else fingerprint(np.float32(item), rate)
        for item in waveforms
    ]
    nothing = pa.nulls(len(codes), pa.string())
    columns = {"audio_sha256": nothing, "duplicate_of": nothing}
    names = [f"{number:06d}" for number in range(len(codes))]
    columns["utterance_id"] = pa.array(names, pa.string())
    return pa.table({**columns, "fingerprint": pa.array(codes, pa.binary())})


def alike(*waveforms):
    """The sets of recordings, by place, that are nearly the same."""
    found = _sound.recordings(table(waveforms))
    sets = {}
    for member, bucket in zip(found.members.tolist(), found.buckets.tolist(), strict=True):
        sets.setdefault(bucket, set()).add(member)
    return sorted(map(sorted, sets.values()))


COPIES = {
    "quieter": SPOKEN / 4,
    "rounded to 8 bits": np.round(SPOKEN * 127) / 127,
    "through 8 kHz": soxr.resample(soxr.resample(SPOKEN, RATE, 8000), 8000, RATE),
    "trimmed": SPOKEN[3371:-3200],
    "padded": np.concatenate([np.zeros(2219), SPOKEN, np.zeros(4000)]),
    "noise at 20 dB": SPOKEN + QUIET,
    "a part": SPOKEN[12007:36000],
    "cut out of": LONG,
    "the second half and more": np.concatenate([SPOKEN[22003:], babble(1.0, said=9)]),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_nearly_the_same(copy):
    others = [babble(3.0, said=number) for number in range(1, 5)]
    assert alike(*others[:2], SPOKEN, *others[2:], copy) == [[2, 5]]


def test_other_takes_of_a_sentence_are_not():
    assert alike(*(babble(3.0, take=number) for number in range(12))) == []


def test_recordings_that_share_a_short_jingle_are_not():
    jingle = babble(0.7, said=99)
    assert alike(*(np.concatenate([jingle, babble(3.0, said=said)]) for said in range(4))) == []


def test_parts_of_a_recording_are_like_it_and_not_like_each_other():
    first, last = LONG[:40000], LONG[-40000:]
    assert alike(first, LONG, last) == [[0, 1], [1, 2]]


def test_many_copies_are_all_joined():
    copies = [SPOKEN[160 * number :] / (1 + number) for number in range(20)]
    (found,) = [each for each in alike(*copies, babble(3.0, said=3)) if len(each) > 15]
    assert set(found) <= set(range(20))
    likeness = _sound.recordings(table([*copies, babble(3.0, said=3)]))
    for number in range(20):
        present = np.zeros(21, dtype=bool)
        present[number] = True
        assert likeness.near(present).tolist() == [True] * 20 + [False]


@pytest.mark.parametrize("waveforms", [[], [None], [b""], [None, b"", SPOKEN[:3000], None]])
def test_what_has_no_codes_is_like_nothing(waveforms):
    assert alike(*waveforms) == []


def test_codes_of_a_recording_are_not_paired_with_the_next_ones(monkeypatch):
    # Each is too short for a pair; one after the other they would be the same twice.
    codes = np.frombuffer(fingerprint(SPOKEN, RATE), "<u2")
    part = 7
    pieces = [codes[start : start + part].tobytes() for start in range(0, 70, part)]
    monkeypatch.setattr(_sound, "SHORTEST", 1)
    assert alike(*pieces, *pieces) == []


@pytest.mark.parametrize(("name", "size"), [("COMPARED", 50), ("AT_A_TIME", 7), ("SORTED", 1000)])
def test_a_small_step_finds_what_one_at_once_does(monkeypatch, name, size):
    waveforms = [SPOKEN, *COPIES.values(), LONG, *(SPOKEN[start:] for start in range(0, 9999, 999))]
    whole = alike(*waveforms)
    monkeypatch.setattr(_sound, name, size)
    assert alike(*waveforms) == whole and whole


def leaked():
    """Sessions with nothing in common, but that one of the test is a copy of one."""
    made = []
    for number, item in enumerate(corpus(dialogue=None)):
        waveform = {0: SPOKEN, 60: babble(2.0, take=1), 100: COPIES["trimmed"]}.get(number)
        words = (*item.utterance_id.split("_"), "says", "so")
        codes = None if waveform is None else fingerprint(np.float32(waveform), RATE)
        made.append(dataclasses.replace(item, words=words, fingerprint=codes))
    return made


def test_a_copy_in_the_test_stops_the_split_and_both_are_named():
    utterances = leaked()
    pair = f"{utterances[100].utterance_id} as {utterances[0].utterance_id}"
    said = re.escape(f"a recording, or nearly the same (1 tested in fold 0: {pair})")
    others = [kind for kind in KINDS if kind != "audio"]
    with pytest.raises(ConfigurationError, match=said):
        divided("session", utterances, test=["5"], validation_share=0, allow=others)
    allowed = divided("session", utterances, test=["5"], validation_share=0, allow=["audio"])
    assert allowed.audit["verdict"]["recordings_train_test"] == 1
    clean = [item for number, item in enumerate(utterances) if number != 100]
    made = divided("session", clean, test=["5"], validation_share=0, allow=[])
    assert made.audit["verdict"]["recordings_train_test"] == 0


def test_identical_samples_count_without_codes():
    utterances = [dataclasses.replace(item, fingerprint=None) for item in leaked()]
    utterances[100] = dataclasses.replace(utterances[100], audio_sha256=utterances[0].audio_sha256)
    made = divided("session", utterances, test=["5"], validation_share=0, duplicates="keep")
    assert made.audit["verdict"]["recordings_train_test"] == 1
