"""CREMA-D, EMO-DB and ESD: the corpora whose files are named after their labels; and
MELD with its tables.
"""

from collections import Counter
from pathlib import Path

import pytest

from pipeline import lookup, tokens
from pipeline.corpora import _preparation as preparation
from pipeline.corpora import cremad, emodb, esd, meld
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from tests.resources import miniature, recordings
from tests.resources.prepare_stage import flagged


def read(name: str, root: Path, **values: object) -> tuple[dict[str, Utterance], list[Rejection]]:
    module = lookup.component("corpora", name)
    rows = list(module.read(root, module.Config(**values)))
    found = {row.utterance_id: row for row in rows if isinstance(row, Utterance)}
    return found, [row for row in rows if isinstance(row, Rejection)]


def test_cremad_name_gives_actor_sentence_emotion_and_intensity(tmp_path: Path) -> None:
    found, rejections = read("cremad", miniature.cremad(tmp_path))
    row = found["1001_IEO_HAP_HI"]
    assert (row.speaker, row.transcript, row.emotion, row.ratings) == (
        *("1001", "It's eleven o'clock", "happy"),
        {"intensity": 3.0},
    )
    sexes = {row.speaker: row.sex for row in found.values()}
    assert sexes == {"1001": "male", "1040": "female", "1076": None}
    (tmp_path / "cremad" / "VideoDemographics.csv").unlink()
    assert not any(row.sex for row in read("cremad", tmp_path / "cremad")[0].values())
    assert found["1040_ITH_SAD_X"].emotion == "sad" and found["1040_ITH_SAD_X"].ratings == {}
    assert [(row.utterance_id, row.reason) for row in rejections] == [
        ("1001_DFA_ANGRY", "unparsable file name")
    ]
    prepared = [preparation.prepare_utterance(row, tokens.Config()) for row in found.values()]
    assert {row.utterance_id: row.reason for row in prepared if isinstance(row, Rejection)} == {
        "1076_MTI_SAD_XX": "audio silent",
        "1076_TIE_FEA_XX": "audio unreadable",
    }


def test_emodb_emotion_is_the_sixth_character(tmp_path: Path) -> None:
    found, rejections = read("emodb", miniature.emodb(tmp_path))
    assert {name: (row.speaker, row.emotion) for name, row in found.items()} == {
        "03a01Fa": ("03", "happy"),
        "03a01Wb": ("03", "angry"),
        "03b10Nc": ("03", "neutral"),
        "16a05Tb": ("16", "sad"),
        "16a05Td": ("16", "sad"),
        "16b02Lx": ("16", "bored"),
        "16b03A": ("16", "fearful"),
    }
    assert (
        found["03a01Fa"].sex == "male"
        and found["16b03A"].sex == "female"
        and found["03a01Fa"].transcript == "Der Lappen liegt auf dem Eisschrank."
        and found["03a01Fa"].language == "de"
    )
    assert [row.utterance_id for row in rejections] == ["99a01Fa"]
    prepared = [preparation.prepare_utterance(row, tokens.Config()) for row in found.values()]
    assert prepared[0].words == ("der", "lappen", "liegt", "auf", "dem", "eisschrank")
    marked = flagged(prepared)
    assert {row.utterance_id: row.duplicate_of for row in marked if row.duplicate_of} == {
        "16a05Td": "16a05Tb"
    }


def test_esd_reads_both_languages_and_all_encodings(tmp_path: Path) -> None:
    found, rejections = read("esd", miniature.esd(tmp_path))
    assert {
        row.speaker: (row.language, row.transcript)
        for row in found.values()
        if row.emotion == "happy"
    } == {
        "0001": ("zh", "打远一看"),
        "0003": ("zh", "他们是谁"),
        "0011": ("en", "The nine the eggs, I keep."),
        "0016": ("en", "It’s café time."),
    }
    assert found["0001_000352"].transcript is None
    assert (found["0001_000351"].subset, found["0016_000351"].subset) == (None, "valid")
    assert Counter(row.reason for row in rejections) == {
        "folder and file name disagree": 1,
        "unexpected folder": 1,
        "unparsable file name": 1,
    }


def test_esd_stops_at_a_text_file_that_it_cannot_decode(tmp_path: Path) -> None:
    root = miniature.esd(tmp_path)
    (root / "0001" / "0001.txt").write_bytes(b"0001_000351\t\xff\xff\t\xe7\n")
    with pytest.raises(
        ConfigurationError, match=r"0001\.txt cannot be decoded, expected UTF-8, .* or gb18030"
    ):
        read("esd", root)
    (root / "0001" / "0001.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"0001\.txt is not a file, expected a text file"):
        read("esd", root)


@pytest.mark.parametrize("nested", [False, True])
def test_meld_rows_find_their_clips_in_both_layouts(tmp_path: Path, nested: bool) -> None:
    found, rejections = read("meld", miniature.meld(tmp_path, nested), cache=tmp_path / "cache")
    assert {name: (row.emotion, row.subset, row.dialogue) for name, row in found.items()} == {
        "train_dia0_utt0": ("sadness", "train", "train_dia0"),
        "train_dia0_utt1": ("surprise", "train", "train_dia0"),
        "train_dia10_utt0": ("joy", "train", "train_dia10"),
        "dev_dia0_utt0": ("neutral", "valid", "dev_dia0"),
        "test_dia0_utt0": ("joy", "test", "test_dia0"),
    }
    assert found["train_dia0_utt0"].transcript == "Oh, he’s lost it…"
    assert (found["train_dia0_utt0"].speaker, found["train_dia0_utt0"].ratings) == (
        "Phoebe",
        {"sentiment": -1.0},
    )
    assert {row.utterance_id: row.reason for row in rejections} == {
        "train_dia0_utt1": "listed twice",
        "train_dia2_utt0": "label outside the scheme",
        "train_dia2_utt3": "audio unreadable",
        "train_dia/../../x_utt0": "unparsable clip id",
        "dev_dia110_utt7": "audio not found",
    }


def test_meld_without_the_clips_of_a_table_says_which_folder_it_expected(tmp_path: Path) -> None:
    root = miniature.meld(tmp_path)
    (root / "dev_splits_complete").rename(root / "dev_clips")
    with pytest.raises(ConfigurationError, match="expected the folder dev_splits_complete in"):
        read("meld", root, cache=tmp_path / "cache")


def test_flac_copies_of_a_recording_are_not_counted_twice(tmp_path: Path) -> None:
    for name, folder, stem in (
        ("cremad", "AudioWAV", "1001_DFA_ANG_XX"),
        ("emodb", "wav", "03a01Fa"),
    ):
        for suffix in ("wav", "flac"):
            recordings.write(tmp_path / name / folder / f"{stem}.{suffix}")
        found, rejections = read(name, tmp_path / name)
        assert list(found) == [stem] and [row.reason for row in rejections] == ["listed twice"]


def test_published_totals_add_up() -> None:
    def total(module: object, prefix: str) -> int:
        return sum(
            count.expected for count in module.TOTALS.counts if count.name.startswith(prefix)
        )

    assert total(cremad, "emotion ") == total(cremad, "utterances") == 7442
    assert total(emodb, "emotion ") == total(emodb, "utterances") == 535
    assert (
        total(esd, "speaker ")
        == total(esd, "utterances")
        == sum(total(esd, f"{name} ") for name in esd.SPEAKERS)
    )
    assert (
        total(meld, "subset ")
        == sum(total(meld, f"{name} ") for name in ("train", "valid", "test"))
        == 13708
    )
    assert len(cremad.SENTENCES) == 12 and len(emodb.SENTENCES) == 10
