from collections import Counter
from pathlib import Path

import pytest

from pipeline import tokens
from pipeline.corpora import _preparation as preparation
from pipeline.corpora import _totals as totals
from pipeline.corpora import iemocap
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from tests.resources import miniature
from tests.resources.prepare_stage import flagged


def read(root: Path) -> tuple[dict[str, Utterance], list[Rejection]]:
    rows = list(iemocap.read(root, iemocap.Config()))
    found = {row.utterance_id: row for row in rows if isinstance(row, Utterance)}
    return found, [row for row in rows if isinstance(row, Rejection)]


def test_the_speaker_is_the_turns_own_letter_not_the_dialogues(tmp_path: Path) -> None:
    found, _ = read(miniature.iemocap(tmp_path))
    assert {name: row.speaker for name, row in found.items() if row.session != "Ses05"} == {
        "Ses01F_impro01_F000": "Ses01_F",
        "Ses01F_impro01_M000": "Ses01_M",
        "Ses01F_impro01_F001": "Ses01_F",
        "Ses03M_impro05a_F000": "Ses03_F",
        "Ses03M_impro05a_M001": "Ses03_M",
    }
    assert found["Ses05F_script03_1_M034"].speaker == "Ses05_M"
    sexes = {row.speaker: row.sex for row in found.values()}
    assert (sexes["Ses03_F"], sexes["Ses03_M"]) == ("female", "male")


def test_labels_ratings_votes_and_structure(tmp_path: Path) -> None:
    found, _ = read(miniature.iemocap(tmp_path))
    row = found["Ses01F_impro01_F000"]
    assert (row.emotion, row.session, row.dialogue, row.style) == (
        "neutral",
        "Ses01",
        "Ses01F_impro01",
        "improvised",
    )
    assert row.ratings == {"valence": 2.5, "activation": 2.0, "dominance": 3.5}
    assert row.votes == ("E2:neutral", "E3:neutral", "E3:frustrated", "F1:other")
    assert found["Ses05F_script03_1_F033"].style == "scripted"
    assert {row.emotion for row in found.values()} == {
        *(
            "neutral",
            "excited",
            "undecided",
            "angry",
            "happy",
            "frustrated",
            "sad",
            "disgusted",
            "other",
            "surprised",
        )
    }


def test_transcripts_survive_lines_that_do_not_parse_and_windows_punctuation(
    tmp_path: Path,
) -> None:
    found, _ = read(miniature.iemocap(tmp_path))
    assert found["Ses01F_impro01_F000"].transcript == "May I help you?"
    assert found["Ses01F_impro01_M000"].transcript is None
    assert found["Ses01F_impro01_F001"].transcript == "It’s mine."


def test_the_corpus_own_word_times_are_found_where_they_exist(tmp_path: Path) -> None:
    found, _ = read(miniature.iemocap(tmp_path))
    path = found["Ses01F_impro01_F000"].alignment_path
    assert path is not None and path.endswith(
        "ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.wdseg"
    )
    assert Path(path).is_file() and found["Ses01F_impro01_M000"].alignment_path is None


def test_unusable_evaluations_are_rejected_one_by_one(tmp_path: Path) -> None:
    _, rejections = read(miniature.iemocap(tmp_path))
    assert {row.utterance_id: row.reason for row in rejections} == {
        "Ses01F_impro01_F002": "label outside the scheme",
        "Ses01F_impro01 [14.0 - 15.0] Ses01F_impro01_F003": "unparsable evaluation line",
        "Ses01F_impro02_F000": "folder and file name disagree",
        "Ses01F_impro01_F000": "listed twice",
    }


def test_prepare_names_what_is_wrong_with_each_recording(tmp_path: Path) -> None:
    found, _ = read(miniature.iemocap(tmp_path))
    prepared = [preparation.prepare_utterance(row, tokens.Config()) for row in found.values()]
    assert Counter(row.reason for row in prepared if isinstance(row, Rejection)) == {
        "audio silent": 1,
        "audio truncated": 1,
        "audio not found": 1,
    }
    marked = flagged(row for row in prepared if isinstance(row, Utterance))
    assert {row.utterance_id: row.duplicate_of for row in marked if row.duplicate_of} == {
        "Ses05F_script03_1_M034": "Ses05F_script03_1_F033"
    }


def test_a_folder_around_the_sessions_is_accepted_and_a_broken_tree_is_named(
    tmp_path: Path,
) -> None:
    root = miniature.iemocap(tmp_path, sessions=(3,))
    root.rename(tmp_path / "IEMOCAP_full_release")
    assert len(read(tmp_path)[0]) == 2
    with pytest.raises(ConfigurationError, match="expected folders Session1"):
        read(tmp_path / "IEMOCAP_full_release" / "Session3")
    (tmp_path / "IEMOCAP_full_release" / "Session3" / "dialog" / "transcriptions").rename(
        tmp_path / "elsewhere"
    )
    with pytest.raises(
        ConfigurationError, match="dialog/transcriptions is not a folder, expected the IEMOCAP tree"
    ):
        read(tmp_path)


def test_published_totals_agree_with_each_other() -> None:
    counts = {count.name: count.expected for count in iemocap.TOTALS.counts}

    def total(prefix: str) -> int:
        return sum(number for name, number in counts.items() if name.startswith(prefix))

    assert (
        total("session ") == total("emotion ") == total("style ") == counts["utterances"] == 10039
    )
    assert counts["four classes, excited with happy"] == sum(
        counts[f"emotion {emotion}"] for emotion in iemocap.FOUR_CLASSES
    )
    assert sum(counts[f"four classes, Ses0{number}"] for number in range(1, 6)) == 5531
    assert total("improvised ") + counts["four classes, scripted"] == 5531
    assert total("improvised ") == 2943


def test_a_complete_tree_with_missing_turns_says_which_totals_are_off(tmp_path: Path) -> None:
    found, _ = read(miniature.iemocap(tmp_path))
    partial = list(found.values())
    assert totals.missing_parts(iemocap.TOTALS, partial) == ["Ses02", "Ses04"]
    lines = totals.differences(iemocap.TOTALS, partial)
    assert (
        "session Ses03: 2, expected 2136" in lines
        and "four classes, Ses01: 2, expected 1085" in lines
    )
    assert not any(line.startswith(("utterances", "emotion", "session Ses02")) for line in lines)
