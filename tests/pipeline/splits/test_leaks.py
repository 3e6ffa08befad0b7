"""Planted leaks stop the split unless its settings allow them."""

import dataclasses

import numpy as np
import pytest

from pipeline import splits
from pipeline.lookup import ConfigurationError
from pipeline.tables import read_table
from tests.resources.divided import KINDS, corpus, divided, folds_of, subsets

SAID = ("she", "died", "and", "i", "miss", "her", "so", "much", "my", "sister", "told", "me")


def apart(**changes):
    """Sessions that have nothing in common, before a leak is planted."""
    return [
        dataclasses.replace(item, words=(*item.utterance_id.split("_"), "says", "so"))
        for item in corpus(dialogue=None, **changes)
    ]


def planted(utterances, **changes):
    """The first utterance of session 5 with what one of session 1 has."""
    place = next(i for i, item in enumerate(utterances) if item.session == "5")
    changed = dataclasses.replace(utterances[place], **changes)
    return [*utterances[:place], changed, *utterances[place + 1 :]]


LEAKS = {
    "speaker": lambda found: planted(found, speaker="1F"),
    "dialogue": lambda found: planted(
        [dataclasses.replace(item, dialogue=item.speaker) for item in found], dialogue="1F"
    ),
    "audio": lambda found: planted(found, audio_sha256=found[0].audio_sha256),
    "sentence": lambda found: planted(found, words=found[0].words),
}


@pytest.mark.parametrize("kind", sorted(LEAKS))
def test_a_planted_leak_stops_the_build_and_is_named(kind):
    utterances = LEAKS[kind](apart())
    others = [name for name in KINDS if name != kind]
    values = {"duplicates": "keep", "test": ["5"]}
    with pytest.raises(ConfigurationError) as error:
        divided("session", utterances, allow=others, **values)
    said = str(error.value)
    assert "\n" not in said and "Ses5F_000 as Ses1F_000" in said, said
    assert all(name in said.partition("`allow")[2] for name in KINDS)
    audit = divided("session", utterances, allow=[kind], **values).audit
    assert audit["allowed"] == {name: name == kind for name in KINDS}
    clean = divided("session", apart(), allow=[], **values)
    assert not any(clean.audit["allowed"].values())


def test_a_session_that_two_speakers_share_leaks_when_one_is_tested():
    with pytest.raises(ConfigurationError, match=r"a session \(\d+ tested in fold 0: Ses1F_000 as"):
        divided("speaker", apart(), allow=[])
    divided("speaker", apart(), allow=["session"])


def test_validation_that_has_heard_the_test_counts_too():
    utterances = [
        dataclasses.replace(item, subset={"1": "valid", "5": "test"}.get(item.session, "train"))
        for item in LEAKS["sentence"](apart())
    ]
    with pytest.raises(ConfigurationError, match=r"a sentence .1 tested in fold 0"):
        divided("official", utterances, allow=[])


def test_one_line_names_all_that_has_to_be_allowed():
    with pytest.raises(ConfigurationError, match=r"`allow: \[speaker, session, dialogue\]`"):
        divided("random", apart(), allow=["dialogue"])


def near(other):
    """Whether a sentence of the test counts as heard beside SAID in training."""
    utterances = apart()
    utterances[0] = dataclasses.replace(utterances[0], words=SAID)
    changed = planted(utterances, words=tuple(other))
    made = divided("session", changed, test=["5"])
    return bool(made.heard[0].sum())


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (SAID, True),
        (tuple(word.upper() for word in SAID), True),
        ((*SAID[:5], "miss", *SAID[6:]), True),  # one word replaced
        (SAID[1:], True),
        ((*SAID, "yesterday"), True),
        ((*SAID[:3], "really", *SAID[3:]), True),
        ((*SAID[4:], *["an", "hour", "before", "we", "met", "there"]), True),  # eight in a row
        (("nobody", *SAID[2:9], "saw", "it"), False),  # seven in a row
        ((*SAID[:3], "you", "miss", "him", *SAID[6:9], "cousin", "asked"), False),
        (SAID[::-1], False),
    ],
)
def test_sentences_are_nearly_the_same_but_for_a_word_or_in_a_run_of_eight(other, alike):
    assert near(other) is alike


@pytest.mark.parametrize(("words", "counts"), [("i do not know", True), ("i see it", False)])
def test_a_sentence_has_four_words(words, counts):
    utterances = apart()
    utterances[0] = dataclasses.replace(utterances[0], words=tuple(words.split()))
    made = divided("session", planted(utterances, words=tuple(words.split())), test=["5"])
    assert bool(made.heard[0].any()) is counts


def test_nearly_the_same_needs_five_words():
    def heard(one, other):
        utterances = apart()
        utterances[0] = dataclasses.replace(utterances[0], words=tuple(one.split()))
        made = divided("session", planted(utterances, words=tuple(other.split())), test=["5"])
        return bool(made.heard[0].any())

    assert not heard("we all know him", "we all know her")
    assert heard("we all know him well", "we all know her well")
    assert heard("we all know him", "we all really know him")


def sentence_sharing(per_speaker=12):
    """In each session the same ten sentences, one of them said with another word."""
    utterances = []
    for item in corpus(per_speaker=per_speaker, dialogue=None):
        number = int(item.utterance_id[-3:]) % 10
        words = (f"first{number}", f"second{number}", "is", "said", "in", "every", "session")
        if item.session == "5" and number == 3:
            words = (*words[:-1], "room")
        utterances.append(dataclasses.replace(item, words=words))
    return utterances


def test_drop_leaves_tested_sentences_out_of_training_and_the_tests_as_they_are():
    utterances = [
        item if int(item.utterance_id[-3:]) < 10 else dataclasses.replace(item, words=())
        for item in sentence_sharing(20)
    ]
    kept = divided("session", utterances, validation_share=0)
    dropped = divided("session", utterances, sentences="drop", validation_share=0, allow=[])
    for fold in folds_of(kept):
        before, after = subsets(kept, fold), subsets(dropped, fold)
        assert after["test"] == before["test"]
        assert after["train"] == {name for name in before["train"] if int(name[-3:]) >= 10}
        assert kept.heard[fold].sum() == 20 and not dropped.heard[fold].any()
    assert dropped.audit["sentences"] == "drop"


def test_what_drop_leaves_in_no_fold_is_rejected():
    utterances = planted(apart(), words=SAID)
    utterances[1] = dataclasses.replace(utterances[1], words=SAID)
    made = divided("session", utterances, sentences="drop", test=["5"])
    assert [(row.utterance_id, row.reason) for row in made.rejections] == [
        ("Ses1F_001", "its sentence is tested")
    ]
    assert made.audit["used"] == len(made.utterance_ids) == len(utterances) - 1


@pytest.mark.parametrize(("protocol", "values"), [("random", {"folds": 3}), ("ratio", {})])
def test_group_draws_whole_sentences(protocol, values):
    utterances = sentence_sharing()
    loose = divided(protocol, utterances, **values)
    assert loose.audit["verdict"]["sentences_train_test"] > 0
    others = ["speaker", "session", "dialogue"]
    whole = divided(protocol, utterances, sentences="group", allow=others, **values)
    assert whole.audit["verdict"]["sentences_train_test"] == 0
    assert len(whole.utterance_ids) == len(utterances)


def test_sentences_that_cannot_be_grouped_are_named():
    utterances = [dataclasses.replace(item, words=SAID) for item in corpus()]
    with pytest.raises(ConfigurationError, match="1 groups of utterances that say the same for 5"):
        divided("random", utterances, sentences="group")
    with pytest.raises(ConfigurationError, match="1 groups of utterances that say the same, there"):
        divided("ratio", utterances, sentences="group")
    with pytest.raises(ConfigurationError, match="sentences = 'group': Input should be 'keep' or"):
        divided("session", utterances, sentences="group")


def test_the_labels_say_what_was_heard_and_the_folds_do_not(tmp_path):
    made = divided("session", sentence_sharing())
    splits.write(made, tmp_path / "folds.parquet", tmp_path / "labels.parquet")
    labels = read_table(tmp_path / "labels.parquet")
    for fold, heard in enumerate(made.heard):
        assert np.array_equal(labels[f"heard_{fold}"].to_numpy(), heard)
    assert not any("heard" in name for name in read_table(tmp_path / "folds.parquet").column_names)
