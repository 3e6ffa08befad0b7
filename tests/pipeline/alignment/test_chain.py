from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from pipeline import audio, lookup
from pipeline.alignment import _chain as alignment_chain
from pipeline.alignment import _check as alignment_check
from pipeline.alignment import uniform
from pipeline.schema import AlignmentError, Utterance, WordSpan
from tests.resources import aligners, recordings

CHECK = alignment_check.Config()


@pytest.fixture
def utterances(tmp_path):
    """Six clips with voice from 1 to 2 s of 3 s."""
    made = []
    for number in range(6):
        rng = np.random.default_rng(number)
        waveform = 1e-4 * rng.standard_normal(48000)
        waveform[16000:32000] += 0.1 * rng.standard_normal(16000)
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, waveform, 16000)
        made.append(Utterance(f"u{number}", "c", "e", str(path), words=("one", "two")))
    return made


def aligner(name, behaviour, confidence=None):
    """A component that answers with (first start, last end) or with a reason."""

    def align(utterances, config):
        for utterance in utterances:
            answer = behaviour(utterance.utterance_id)
            if isinstance(answer, str):
                yield utterance.utterance_id, AlignmentError(answer)
            else:
                start, end = answer
                middle = (start + end) / 2
                times = ((start, middle), (middle, end))
                yield (
                    utterance.utterance_id,
                    [
                        WordSpan(utterance.utterance_id, i, w, *t, confidence, name)
                        for i, (w, t) in enumerate(zip(("one", "two"), times, strict=True))
                    ],
                )

    return SimpleNamespace(align=align)


@pytest.fixture
def chain(monkeypatch):
    """First fails u1, puts u2 a second early and u3 right; the second places u1 and u2
    but fails u4.
    """
    first = aligner(
        "first",
        lambda u: {"u1": "partial alignment", "u2": (0.0, 2.0), "u4": "partial alignment"}.get(
            u, (1.0, 2.0)
        ),
        0.5,
    )
    second = aligner("second", lambda u: "no alignment" if u == "u4" else (1.05, 1.95))
    modules = {"first": first, "second": second}
    monkeypatch.setattr(lookup, "component", lambda kind, name: modules[name])
    return [("first", None), ("second", None)]


def test_failures_fall_to_the_next_aligner_and_spans_say_whose_they_are(utterances, chain):
    done = alignment_chain.align(utterances, chain, CHECK)
    assert list(done) == [u.utterance_id for u in utterances]
    placed = {
        name: item.result[0].aligner for name, item in done.items() if isinstance(item.result, list)
    }
    assert placed == {"u0": "first", "u1": "second", "u2": "second", "u3": "first", "u5": "first"}
    tallies = aligners.counted(done, utterances).tallies
    assert list(tallies) == ["first", "second"]
    first, second = tallies["first"], tallies["second"]
    assert (first.tried, first.placed, second.tried, second.placed) == (6, 3, 3, 2)
    assert first.failures == {"partial alignment": 2, "implausible alignment": 1}
    assert second.failures == {"no alignment": 1}


def test_the_last_failure_keeps_what_every_aligner_answered(utterances, chain):
    error = alignment_chain.align(utterances, chain, CHECK)["u4"].result
    assert isinstance(error, AlignmentError)
    assert error.reason == "no alignment"
    assert error.detail == "first: partial alignment; second: no alignment"


def test_what_is_placed_by_the_voice_claims_no_agreement_with_it(utterances, chain, monkeypatch):
    def module(kind, name, whole=lookup.component):
        return SimpleNamespace(align=whole(kind, name).align, PLACES_BY_VOICE=name == "second")

    monkeypatch.setattr(lookup, "component", module)
    metrics = aligners.counted(
        alignment_chain.align(utterances, chain, CHECK), utterances
    ).metrics()["aligners"]
    assert "first_start_median_s" in metrics["first"]["check"]
    assert metrics["second"]["check"] == {
        "checked": 2,
        "failed": 0,
        "share_failed": 0.0,
        "agreement": "not stated: the words were placed by the voice itself",
    }


def test_a_recording_is_decoded_once_for_all_aligners_and_the_check(tmp_path, monkeypatch):
    made = []
    for number in range(3):
        path = recordings.write(tmp_path / f"{number}.wav", seconds=0.8, seed=number)
        made.append(Utterance(f"u{number}", "c", "e", str(path), words=("no", "not")))
    read, reads = audio.read, []
    monkeypatch.setattr(
        audio, "read", lambda path, *bounds: (reads.append(path), read(path, *bounds))[1]
    )
    late = aligner("late", lambda u: (5.0, 6.0))
    whole = lookup.component
    monkeypatch.setattr(
        lookup, "component", lambda kind, name: late if name == "late" else whole(kind, name)
    )
    aligners = [("late", None), ("uniform", uniform.Config())]
    done = alignment_chain.align(made, aligners, CHECK)
    assert {item.result[0].aligner for item in done.values()} == {"uniform"}
    assert reads == [item.audio_path for item in made]


def test_metrics_give_coverage_fallbacks_and_confidence(utterances, chain):
    done = alignment_chain.align(utterances, chain, CHECK)
    metrics = aligners.counted(done, utterances).metrics()
    assert metrics["utterances"] == 6
    assert metrics["placed"] == 5
    assert metrics["coverage"] == pytest.approx(5 / 6, abs=1e-6)
    assert metrics["fallbacks"] == 2
    assert metrics["mean_confidence"] == 0.5
    first = metrics["aligners"]["first"]
    assert first["check"]["share_failed"] == 0.25
    assert first["failures"] == {"implausible alignment": 1, "partial alignment": 2}


def test_parts_add_up_to_the_whole(utterances, chain):
    whole = alignment_chain.align(utterances, chain, CHECK)
    parts = [
        alignment_chain.align(utterances[:2], chain, CHECK),
        alignment_chain.align(utterances[2:], chain, CHECK),
    ]
    merged = parts[0] | parts[1]
    counted = [aligners.counted(placed, utterances) for placed in (merged, whole)]
    assert counted[0].metrics() == counted[1].metrics()
    assert list(merged) == list(whole)


def test_an_aligner_that_answers_for_another_utterance_is_found_out(utterances, monkeypatch):
    wrong = SimpleNamespace(
        align=lambda utterances, config: iter([("u9", AlignmentError("x"))] * len(utterances))
    )
    monkeypatch.setattr(lookup, "component", lambda kind, name: wrong)
    with pytest.raises(RuntimeError, match="'u9' in the place of 'u0'"):
        alignment_chain.align(utterances, [("wrong", None)], CHECK)


def test_an_empty_chain_is_a_mistake(utterances):
    with pytest.raises(lookup.ConfigurationError, match="names no aligner"):
        alignment_chain.align(utterances, [], CHECK)
