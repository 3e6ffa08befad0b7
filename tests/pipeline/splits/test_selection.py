import dataclasses
from collections import Counter

import pytest

from pipeline.lookup import ConfigurationError
from pipeline.schema import Utterance
from tests.resources.divided import EMOTIONS, corpus, divided


def test_everybody_is_used_or_rejected_with_a_reason():
    utterances = corpus(sessions=4, per_speaker=20)
    utterances.append(
        Utterance("odd", "made", "confused", speaker="1F", session="1", style="improvised")
    )
    original = next(item for item in utterances if item.utterance_id == "Ses2M_004")
    # The copy sorts before its original: the original must be kept all the same.
    utterances.append(
        dataclasses.replace(original, utterance_id="A_copy", duplicate_of=original.utterance_id)
    )
    result = divided("session", utterances, styles=["improvised"])
    reasons = Counter(item.reason for item in result.rejections)
    assert reasons == {"style filtered": 80, "label outside the scheme": 1, "duplicate audio": 1}
    assert result.audit["rejected_by_reason"] == reasons
    duplicate = next(item for item in result.rejections if item.reason == "duplicate audio")
    assert (duplicate.utterance_id, duplicate.detail) == ("A_copy", "same samples as Ses2M_004")
    used = set(result.utterance_ids)
    assert len(used) + len(result.rejections) == len(utterances) == result.audit["utterances"]
    assert all(item.stage == "split" for item in result.rejections)
    kept = divided("session", utterances, styles=["improvised"], duplicates="keep")
    assert "A_copy" in kept.utterance_ids


def test_classes_keep_the_order_of_the_scheme():
    scheme = {"sad": "sad", "excited": "happy", "angry": "angry", "happy": "happy"}
    classes = divided("random", corpus(), labels=scheme).audit["classes"]
    assert list(classes) == ["sad", "happy", "angry"]


def test_absent_classes_and_repeated_ids_are_named():
    with pytest.raises(ConfigurationError, match=r"\['bored'\].*raw labels"):
        divided("random", corpus(), labels=EMOTIONS | {"bored": "bored"})
    with pytest.raises(ConfigurationError, match="two classes or more"):
        divided("random", corpus(), labels={"sad": "sad"})
    with pytest.raises(ConfigurationError, match="utterance 'Ses1F_003' occurs twice"):
        divided("random", [*corpus(), corpus()[3]])
