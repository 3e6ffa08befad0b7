import dataclasses

from tests.resources.divided import corpus, divided


def test_shared_sound_and_sentences_are_found():
    utterances = corpus(text="it is always the same {}")
    utterances.append(
        dataclasses.replace(utterances[0], utterance_id="Ses5F_copy", speaker="5F", session="5")
    )
    audit = divided("session", utterances, duplicates="keep").audit
    fold = audit["folds"]["4"]
    found = fold["recordings_shared"]
    assert found["train_test"]["utterances"] + found["valid_test"]["utterances"] == 1
    assert fold["sentences_shared"]["train_test"]["share"] == 1.0
    assert fold["speakers_shared"]["train_test"] == {"count": 0, "utterances": 0, "share": 0.0}
    assert audit["verdict"]["sentences_train_test"] == 25


def test_what_is_unknown_is_not_in_common():
    audit = divided("random", corpus(dialogue=None, words=(), transcript="")).audit
    verdict = audit["verdict"]
    assert verdict["dialogues_train_test"] == verdict["sentences_train_test"] == 0
    assert verdict["speakers_train_test"] > 0
