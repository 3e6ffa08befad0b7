import dataclasses

import pytest

from pipeline import splits
from pipeline.lookup import ConfigurationError
from pipeline.tables import utterance_table
from tests.resources.divided import EMOTIONS, corpus, subsets

THREE = {"angry": "angry", "sad": "sad", "neutral": "neutral"}


def both():
    """Two corpora, the second of which calls `angry` another word and has `happy`."""
    made = []
    for name in ("one", "two"):
        for item in corpus(sessions=4):
            emotion = item.emotion
            if name == "two":
                emotion = {"angry": "wut", "sad": "neutral", "neutral": "sad"}.get(emotion, emotion)
            made.append(
                dataclasses.replace(
                    item,
                    utterance_id=f"{name}.{item.utterance_id}",
                    speaker=f"{name}.{item.speaker}",
                    session=None,
                    dialogue=None,
                    audio_sha256=f"{name}{item.audio_sha256}",
                    emotion=emotion,
                    words=(),
                    transcript=None,
                )
            )
    return made


def divided(**changes):
    values = {
        "train": {"corpus": "one", "labels": THREE},
        "test": {
            "corpus": "two",
            "labels": {"wut": "angry", "neutral": "sad", "sad": "neutral"},
        },
    }
    settings = splits.settings("cross-x", values | changes)
    return splits.split("cross-x", utterance_table(both()), settings)


def test_one_corpus_trains_and_validates_and_the_other_is_tested_by_its_own_labels():
    made = divided()
    parts = subsets(made)
    assert {name[:4] for name in parts["test"]} == {"two."}
    assert {name[:4] for name in parts["train"] | parts["valid"]} == {"one."} and parts["valid"]
    raw = {item.utterance_id: item.emotion for item in both()}
    meant = {"wut": "angry", "neutral": "sad", "sad": "neutral"}
    for name, emotion in zip(made.utterance_ids, made.emotions, strict=True):
        assert emotion == (raw[name] if name.startswith("one.") else meant[raw[name]])
    assert made.audit["across"] == {"train": "one", "test": "two"}
    assert made.audit["verdict"]["speaker_independent"]
    outside = {row.utterance_id for row in made.rejections}
    assert outside == {name for name, emotion in raw.items() if EMOTIONS.get(emotion) == "happy"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test": {"corpus": "six", "labels": THREE}}, r"no utterance of six, .*\['one', 'two'\]"),
        ({"test": {"corpus": "two", "labels": {"a": "b", "c": "sad"}}}, r"\['b'\] are no classes"),
        ({"test": {"corpus": "one", "labels": THREE}}, "train and test are one corpus"),
        ({"labels": THREE}, "labels = .*stand under train and test"),
        ({"train": {"corpus": "one", "labels": {"sad": "sad"}}}, "two classes or more"),
        ({"train": {"corpus": "one"}}, "train.labels is missing"),
    ],
)
def test_what_cannot_be_meant_is_one_line(changes, said):
    with pytest.raises(ConfigurationError, match=said):
        divided(**changes)
