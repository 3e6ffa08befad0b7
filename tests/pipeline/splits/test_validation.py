from dataclasses import replace

import pytest

from tests.resources.divided import corpus, divided, folds_of, shared, subsets


@pytest.mark.parametrize(
    ("protocol", "values"), [("session", {}), ("speaker", {}), ("speaker-three", {"folds": 3})]
)
def test_validation_shares_no_speaker_with_training_or_test(protocol, values):
    utterances = corpus()
    result = divided(protocol, utterances, **values)
    for fold in folds_of(result):
        parts = subsets(result, fold)
        assert not shared(utterances, "speaker", parts["valid"], parts["train"])
        assert not shared(utterances, "speaker", parts["valid"], parts["test"])
        assert not shared(utterances, "speaker", parts["train"], parts["test"])
        how = result.audit["folds"][str(fold)]["validation"]
        assert how == "whole speakers, in neither training nor test"
    assert result.audit["verdict"]["speaker_independent"] is True


@pytest.mark.parametrize("protocol", ["session", "speaker", "random", "official"])
def test_a_share_of_zero_leaves_training_whole(protocol):
    utterances = corpus()
    if protocol == "official":
        utterances = [replace(item, subset="train") for item in utterances]
        utterances[::5] = [replace(item, subset="test") for item in utterances[::5]]
    honest = divided(protocol, utterances)
    whole = divided(protocol, utterances, validation_share=0)
    assert folds_of(whole) == folds_of(honest)
    for fold in folds_of(whole):
        parts, divided_parts = subsets(whole, fold), subsets(honest, fold)
        assert not parts["valid"] and divided_parts["valid"]
        assert parts["train"] == divided_parts["train"] | divided_parts["valid"]
        assert parts["test"] == divided_parts["test"]
        assert whole.audit["folds"][str(fold)]["validation"] == "no validation"


def test_equal_speakers_take_turns_in_choosing_the_epoch():
    result = divided("speaker", corpus(per_speaker=10))
    chosen = {
        frozenset(name[3:5] for name in subsets(result, fold)["valid"]) for fold in folds_of(result)
    }
    assert len(chosen) >= 5


def test_without_speakers_validation_is_whole_sessions():
    audit = divided("session", corpus(speaker=None)).audit
    assert audit["folds"]["0"]["validation"] == "whole sessions, in neither training nor test"
    assert audit["verdict"]["speakers_known"] is False
    assert audit["verdict"]["speaker_independent"] is False


def test_without_speakers_and_other_sessions_validation_is_stratified():
    result = divided("session", corpus(sessions=2, speaker=None))
    assert result.audit["folds"]["0"]["validation"] == "a stratified part, whoever speaks"
    assert len(subsets(result)["valid"]) == pytest.approx(0.15 * 24, abs=2)
