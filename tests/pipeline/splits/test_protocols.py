"""What holds for every protocol."""

import dataclasses
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import lookup, splits
from pipeline.lookup import ConfigurationError
from tests.resources.divided import (
    EMOTIONS,
    corpus,
    divided,
    folds_of,
    rows,
    shared,
    subsets,
    with_subsets,
)

COMMON = {"labels", "styles", "duplicates", "allow", "sentences", "seed"}
# What each protocol is told beside that.
OWN = {
    "fold_file": {"validation_share", "fold_file"},
    "grouped": {"validation_share", "folds", "ratio"},
    "official": {"validation_share"},
    "random": {"validation_share", "folds", "stratified"},
    "ratio": {"ratio"},
    "session": {"validation_share", "folds", "test"},
    "speaker": {"validation_share", "folds", "test"},
}
VALUES = {
    "folds": 3,
    "ratio": [0.7, 0.2, 0.1],
    "test": ["1"],
    "fold_file": "folds.csv",
    "validation_share": 0.3,
    "stratified": False,
}
# Name of a split, its settings, whether every utterance is tested once.
CASES = [
    ("session", {}, True),
    ("session-two", {"folds": 2}, True),
    ("session-one", {"test": ["1", "2"]}, False),
    ("speaker", {}, True),
    ("speaker-three", {"folds": 3}, True),
    ("random", {"folds": 4}, True),
    ("random-drawn", {"folds": 4, "stratified": False}, True),
    ("ratio", {}, False),
    ("grouped", {}, False),
    ("grouped-folds", {"folds": 3}, True),
    ("official", {}, False),
    ("fold_file", {}, True),
]


def test_the_public_modules_are_the_protocols_and_each_is_tried_here():
    # `cross` divides a joined corpus and has tests of its own.
    assert lookup.names("splits") == sorted([*OWN, "cross"])
    assert {name.split("-")[0] for name, _, _ in CASES} == set(OWN)


@pytest.mark.parametrize("protocol", sorted(OWN))
def test_a_protocol_takes_its_own_settings_and_refuses_the_others(protocol):
    required = {"labels": EMOTIONS} | ({"fold_file": "x.csv"} if protocol == "fold_file" else {})
    fields = COMMON | OWN[protocol]
    for key, value in VALUES.items():
        if key in OWN[protocol]:
            checked = splits.settings(protocol, required | {key: value})
            stated = getattr(checked, key)
            assert (list(stated) if isinstance(value, list) else stated) == value
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(checked, key, value)
        else:
            with pytest.raises(ConfigurationError) as error:
                splits.settings(f"{protocol}-x", required | {key: value})
            expected = f"unknown key {key}, expected one of {sorted(fields)}"
            assert str(error.value) == f"splits.{protocol}-x: {expected}"


@settings(max_examples=40)
@given(
    st.sampled_from(CASES),
    st.integers(3, 6),
    st.integers(10, 25),
    st.integers(0, 99),
    st.randoms(use_true_random=False),
)
def test_laws_of_every_protocol(tmp_path_factory, case, sessions, per_speaker, seed, shuffler):
    protocol, values, each_once = case
    utterances = with_subsets(corpus(sessions, per_speaker), {"1": "test"})
    if protocol == "fold_file":
        path = tmp_path_factory.mktemp("lists") / "folds.json"
        path.write_text(json.dumps({item.utterance_id: item.session for item in utterances}))
        values = {"fold_file": str(path)}
    result = divided(protocol, utterances, seed=seed, **values)
    shuffler.shuffle(utterances)
    again = divided(protocol, utterances, seed=seed, **values)
    same = (rows(again), again.rejections, again.audit)
    assert same == (rows(result), result.rejections, result.audit), "whatever their order"

    assert result.utterance_ids == sorted(result.utterance_ids)
    classes = {item.utterance_id: EMOTIONS[item.emotion] for item in utterances}
    assert result.emotions == [classes[name] for name in result.utterance_ids]
    tested = Counter()
    for fold in folds_of(result):
        parts = subsets(result, fold)
        assert sum(map(len, parts.values())) == len(utterances), "disjoint"
        assert set().union(*parts.values()) == set(classes), "complete"
        tested.update(parts["test"])
        audit = result.audit["folds"][str(fold)]
        for subset, members in parts.items():
            # What is drawn whatever the class can miss one in a small test part.
            if subset == "train" or values.get("stratified", True):
                assert {classes[name] for name in members} == set(EMOTIONS.values())
            counts = Counter(classes[name] for name in members)
            assert Counter(audit[subset]["classes"]) == counts
        for left, right in (("train", "test"), ("valid", "test"), ("train", "valid")):
            found = shared(utterances, "speaker", parts[left], parts[right])
            assert audit["speakers_shared"][f"{left}_{right}"]["count"] == len(found)
    if each_once:
        assert tested == Counter(classes.keys()), "every utterance is tested exactly once"
    json.dumps(result.audit, allow_nan=False)


@pytest.mark.parametrize(
    ("protocol", "values", "message"),
    [
        (
            "sessions",
            {},
            r"unknown .*'sessions', expected one of .'cross', 'fold_file', ",
        ),
        ("session", {"labels": None}, "splits.session: labels = None"),
        ("session", {"fold": 3}, "splits.session: unknown key fold, expected one of"),
        ("random", {"folds": 1}, "folds = 1: Input should be greater than or equal to 2"),
        ("ratio", {"ratio": [0.7, 0.2, 0.2]}, "ratio = .*positive shares with the sum 1"),
        ("grouped", {"ratio": [1.1, -0.2, 0.1]}, "ratio = .*positive shares with the sum 1"),
        ("speaker", {"validation_share": 0.9}, "validation_share = 0.9: .*less than 0.9"),
        ("fold_file", {}, "splits.fold_file: fold_file is missing"),
    ],
)
def test_mistakes_in_the_settings_are_one_line(protocol, values, message):
    with pytest.raises(ConfigurationError, match=message) as error:
        splits.settings(protocol, {"labels": EMOTIONS} | values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["speaker", "session"])
def test_groups_without_a_name_and_too_few_of_them_are_named(key):
    with pytest.raises(ConfigurationError, match=f"120 utterances have no {key} .first: Ses1F_000"):
        divided(key, corpus(**{key: None}))
    with pytest.raises(ConfigurationError, match=rf"{key}s for 11 parts, there must be as many"):
        divided(key, corpus(), folds=11)


@pytest.mark.parametrize(("protocol", "key"), [("session", "session"), ("speaker", "speaker")])
@pytest.mark.parametrize("test", [["9"], [], "all"])
def test_a_test_list_names_some_of_the_groups(protocol, key, test):
    utterances = corpus()
    names = sorted({getattr(item, key) for item in utterances})
    with pytest.raises(ConfigurationError, match=f"expected some, not all, of the {key}s"):
        divided(protocol, utterances, test=names if test == "all" else test)


def test_a_class_that_only_one_speaker_has_cannot_be_learnt_without_them():
    utterances = [item for item in corpus() if item.emotion != "sad" or item.speaker == "2M"]
    with pytest.raises(ConfigurationError, match=r"speaker, fold 3: no train utterance of \['sad"):
        divided("speaker", utterances)
