from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.alignment import ctc
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError


def peaks(places, num_frames=60, num_tokens=6):
    """Log probabilities of a recogniser that is sure: blank, but for the token of each
    (frame, token).
    """
    probability = np.full((num_frames, num_tokens), 0.002)
    probability[:, 0] = 0.99
    for frame, token in places:
        probability[frame] = 0.002
        probability[frame, token] = 0.99
    return np.log(probability).astype(np.float32)


def test_letters_are_placed_where_a_sure_recogniser_hears_them():
    log_probs = peaks([(10, 1), (14, 2), (30, 3), (33, 1), (36, 4)])
    placed = ctc.place(log_probs, [[1, 2], [3, 1, 4]], blank=0)
    assert [[letter.frame for letter in word] for word in placed] == [[10, 14], [30, 33, 36]]
    assert all(letter.probability > 0.9 for word in placed for letter in word)


def test_a_word_that_was_not_said_has_little_confidence():
    log_probs = peaks([(10, 1), (14, 2), (30, 3)])
    said, other = (ctc.place(log_probs, [[1, 2], word], blank=0)[1] for word in ([3], [5]))
    assert said[0].probability > 5 * other[0].probability


def test_more_letters_than_frames_is_a_reason():
    with pytest.raises(AlignmentError, match="audio too short"):
        ctc.place(peaks([], num_frames=4), [[1, 2, 3], [4, 5]], blank=0)


def test_spans_follow_the_letters_and_leave_pauses_free(speech, monkeypatch):
    """The aligner's arithmetic from frames to seconds, on a recogniser whose answer is
    known.
    """
    log_probs = peaks([(10, 1), (14, 2), (30, 3), (33, 1), (36, 4)])

    known = SimpleNamespace(
        sampling_rate=16000,
        step=0.02,
        blank=0,
        vocabulary=dict(zip("abcd", range(1, 5), strict=True)),
    )
    known.log_probs = lambda waveform: log_probs
    monkeypatch.setattr(ctc, "_recogniser", lambda *_: known)
    ((_, spans),) = ctc.align([replace(speech[0][0], words=("ab", "cad"))], ctc.Config())
    assert [(s.word, s.start, s.end) for s in spans] == [("ab", 0.2, 0.36), ("cad", 0.6, 0.78)]
    ((_, low),) = ctc.align(
        [replace(speech[0][0], words=("ab", "dad"))], ctc.Config(min_confidence=0.5)
    )
    assert low.reason == "low confidence"
    ((_, unknown),) = ctc.align([replace(speech[0][0], words=("ab", "xyz"))], ctc.Config())
    assert unknown.reason == "unknown word"


def test_a_model_from_a_folder_answers_alike_twice_in_any_order(speech, recogniser):
    config = ctc.Config(model=recogniser)
    forwards = dict(ctc.align(speech[0], config))
    backwards = dict(ctc.align(speech[0][::-1], config))
    assert forwards == backwards
    assert all(span.confidence is not None for spans in forwards.values() for span in spans)


def test_a_folder_without_a_model_says_which_files_to_put_there(speech, tmp_path):
    with pytest.raises(ConfigurationError, match=r"must hold config\.json and \*\.safetensors"):
        list(ctc.align(speech[0], ctc.Config(model=str(tmp_path))))


def test_provenance_tells_the_weights_apart(recogniser, tmp_path):
    known = ctc.provenance(ctc.Config(model=recogniser))
    assert len(known["model_sha256"]) == 64
    assert "model_sha256" not in ctc.provenance(ctc.Config(model="somebody/model"))


def test_weights_that_are_absent_are_never_made_up(speech, recogniser, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "cut"
    shutil.copytree(recogniser, folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {k: v for k, v in weights.items() if "lm_head" not in k},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ConfigurationError, match="lm_head"):
        list(ctc.align(speech[0], ctc.Config(model=str(folder))))
