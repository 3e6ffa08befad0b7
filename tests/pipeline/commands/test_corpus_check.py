import dataclasses
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from pipeline import lookup
from pipeline.commands import _corpus_table, corpus_check
from pipeline.commands._corpus_findings import Limits, inspect
from pipeline.commands.corpus_check import CorpusCheck
from pipeline.corpora import ravdess
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.schema import Rejection, Utterance
from tests.resources import miniature, recordings

PUBLISHED = Totals(
    part="speaker",
    parts=("a", "b"),
    counts=(
        Count("utterances", 8),
        *per_value("emotion", {"angry": 4, "sad": 4}),
        *per_value("speaker", {"a": 4, "b": 4}),
    ),
)


def corpus(folder: Path, speakers: str = "ab") -> list[Utterance]:
    """Two angry and two sad utterances of each speaker."""
    return [
        Utterance(
            utterance_id=f"{speaker}{number}",
            corpus="tiny",
            emotion="angry" if number < 2 else "sad",
            audio_path=str(
                recordings.write(folder / f"{speaker}{number}.wav", seed=ord(speaker) * 10 + number)
            ),
            transcript="so it is",
            speaker=speaker,
        )
        for speaker in speakers
        for number in range(4)
    ]


def check(name: str, rows: list[Utterance], *found: Any, **options: Any) -> CorpusCheck:
    return corpus_check.check(name, rows, *found, recordings=map(inspect, rows), **options)


def kinds(result: CorpusCheck) -> dict[str, int]:
    return dict(Counter(finding.kind for finding in result.findings))


def shown(result: CorpusCheck) -> str:
    console = Console(width=160, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    console.print(_corpus_table.table(result))
    console.file.close()
    return console.export_text()


def test_a_corpus_as_published_is_fit(tmp_path: Path) -> None:
    result = check("tiny", corpus(tmp_path), (), PUBLISHED, root=tmp_path, sampling_rate=16000)
    assert (
        result.fit_for_training
        and result.problems == ()
        and result.findings == ()
        and result.missing_parts == ()
    )
    assert result.counts["emotion"] == {"angry": 4, "sad": 4} == result.expected["emotion"]
    assert result.hours == pytest.approx(8 * 0.3 / 3600)
    assert "tiny is fit for training" in shown(result)


def test_a_partial_corpus_is_fit_and_says_what_is_missing(tmp_path: Path) -> None:
    result = check("tiny", corpus(tmp_path, "a"), (), PUBLISHED)
    assert result.fit_for_training and result.missing_parts == ("b",)
    assert "not there: b" in shown(result)


def test_a_part_that_lacks_files_is_not_fit(tmp_path: Path) -> None:
    result = check("tiny", corpus(tmp_path)[:-1], (), PUBLISHED)
    assert result.problems == (
        "published total: utterances: 7, expected 8",
        "published total: emotion sad: 3, expected 4",
        "published total: speaker b: 3, expected 4",
    )
    assert not result.fit_for_training and "tiny is not fit for training" in shown(result)


def test_a_clip_that_the_reader_could_not_decode_explains_a_missing_utterance_but_a_song_does_not(
    tmp_path: Path,
) -> None:
    rows, limits = corpus(tmp_path)[:-1], Limits(unusable_share=0.2)
    broken = [Rejection("b3", "prepare", "audio unreadable", "b3.mp4")]
    assert check("tiny", rows, broken, PUBLISHED, limits=limits).fit_for_training
    assert not check("tiny", rows, broken, PUBLISHED).fit_for_training
    song = [Rejection("song", "prepare", "song, not speech", "song.wav")]
    assert not check("tiny", rows, song, PUBLISHED, limits=limits).fit_for_training
    assert check("tiny", corpus(tmp_path), song * 9, PUBLISHED).fit_for_training


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        (recordings.write_silent, "audio silent"),
        (recordings.write_corrupt, "audio unreadable"),
        (recordings.write_truncated, "audio truncated"),
        (recordings.write_without_samples, "audio empty"),
        (Path.unlink, "audio not found"),
    ],
)
def test_unusable_recordings_are_named_and_too_many_are_a_problem(
    tmp_path: Path, breaks, reason: str
) -> None:
    rows = corpus(tmp_path)
    breaks(Path(rows[3].audio_path))
    result = check("tiny", rows, (), PUBLISHED)
    assert kinds(result) == {reason: 1} and result.num_unusable == 1
    assert result.problems == (
        f"1 of 8 utterances (12.5%) unusable, most because of {reason!r} (1): more than 2%",
    )
    assert check("tiny", rows, (), PUBLISHED, limits=Limits(unusable_share=0.125)).fit_for_training


def test_suspicious_recordings_are_findings_and_not_problems(tmp_path: Path) -> None:
    rows = corpus(tmp_path)
    loud = np.clip(20 * recordings.tone(seed=1), -1, 1)
    soundfile.write(rows[0].audio_path, loud, 16000)
    recordings.write(Path(rows[1].audio_path), sampling_rate=8000, seed=91)
    recordings.write(Path(rows[2].audio_path), channels=2, seed=92)
    recordings.write(Path(rows[4].audio_path), seconds=4.0, seed=93)
    shutil.copy(rows[6].audio_path, rows[7].audio_path)
    recordings.write_corrupt(tmp_path / "._a0.wav")
    result = check("tiny", rows, (), PUBLISHED, root=tmp_path, sampling_rate=44100)
    assert result.fit_for_training
    assert {finding.kind: finding.where for finding in result.findings} == {
        "clipped": "a0",
        "other sampling rate": "a1",
        "other channels": "a2",
        "unusual length": "b0",
        "duplicate": "b3",
        "macOS metadata": "._a0.wav",
        "resampled copy": "most recordings",
    }


def test_a_peak_at_full_scale_is_not_clipping(tmp_path: Path) -> None:
    rows = corpus(tmp_path)
    peaked = recordings.tone(seed=1)
    peaked[::100] = 1.0
    soundfile.write(rows[0].audio_path, peaked, 16000)
    assert "clipped" not in kinds(check("tiny", rows, (), PUBLISHED))


@pytest.mark.parametrize("field", ["emotion", "speaker", "subset"])
def test_a_copy_with_another_label_speaker_or_subset_is_a_problem(
    tmp_path: Path, field: str
) -> None:
    rows = corpus(tmp_path)
    shutil.copy(rows[0].audio_path, rows[1].audio_path)
    assert check("tiny", rows).fit_for_training
    rows[1] = dataclasses.replace(rows[1], **{field: "other"})
    result = check("tiny", rows)
    assert len(result.problems) == 1 and f"a1 = a0: {field}" in result.problems[0]


def test_what_no_training_can_use_is_a_problem(tmp_path: Path) -> None:
    rows = corpus(tmp_path)
    assert check("tiny", []).problems == ("no utterance was found",)
    assert "one class only (angry)" in check("tiny", rows[:2]).problems[0]
    assert "1 utterance ids stand twice (a0 …)" in check("tiny", [*rows, rows[0]]).problems[0]
    # A user's own table has no published totals: its rejected rows count.
    wrong = [Rejection("x", "prepare", "no label", "row 9")]
    assert "1 of 9 utterances (11.1%) unusable" in check("tiny", rows, wrong).problems[0]


def test_a_text_only_corpus_has_nothing_to_decode(tmp_path: Path) -> None:
    rows = [dataclasses.replace(row, audio_path=None) for row in corpus(tmp_path)]
    result = check("tiny", rows)
    assert result.fit_for_training and result.hours == 0 and result.num_unusable == 0


def test_a_speaker_of_two_sessions_is_pointed_out(tmp_path: Path) -> None:
    rows = [dataclasses.replace(row, session=row.utterance_id[1]) for row in corpus(tmp_path)]
    result = check("tiny", rows)
    assert kinds(result) == {"speaker in several sessions": 2} and result.fit_for_training


def test_names_with_brackets_and_many_speakers_are_shown(tmp_path: Path) -> None:
    rows = [
        dataclasses.replace(row, speaker=f"[red]{number}")
        for number, row in enumerate(corpus(tmp_path))
    ]
    result = check("tiny", rows)
    assert "[red]7" in shown(result)
    console = Console(width=120, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    console.print(_corpus_table.table(result, longest=3))
    console.file.close()
    assert "8 values" in console.export_text()


def test_a_long_list_of_problems_is_cut_but_counted(tmp_path: Path) -> None:
    counts = tuple(
        Count(f"speaker {number}", 1, {"speaker": (str(number),)}) for number in range(40)
    )
    result = check("tiny", corpus(tmp_path), (), Totals("language", ("en",), counts))
    assert len(result.problems) == 40
    assert "wrong: 16 more like these" in shown(result)


def test_miniature_of_a_published_corpus_names_all_its_faults(tmp_path: Path) -> None:
    root = miniature.ravdess(tmp_path)
    rows = list(ravdess.read(root, ravdess.Config()))
    result = check(
        "ravdess",
        [row for row in rows if isinstance(row, Utterance)],
        [row for row in rows if isinstance(row, Rejection)],
        ravdess.TOTALS,
        root=root,
        sampling_rate=ravdess.SAMPLING_RATE,
    )
    assert {
        "song, not speech",
        "macOS metadata",
        "duplicate",
        "audio truncated",
        "other channels",
    } <= set(kinds(result))
    assert len(result.missing_parts) == 22 and not result.fit_for_training
    assert (
        "published total: speaker Actor_07: 4 (5 rejected in the whole corpus), expected 60"
        in result.problems
    )


@pytest.mark.skipif(
    "SERFLOW_RAVDESS" not in os.environ, reason="SERFLOW_RAVDESS names no RAVDESS folder"
)
def test_real_ravdess_is_fit_for_training() -> None:
    module = lookup.component("corpora", "ravdess")
    rows = list(module.read(Path(os.environ["SERFLOW_RAVDESS"]), module.Config()))
    result = check("ravdess", rows, (), module.TOTALS)
    assert result.fit_for_training
    assert [finding.where for finding in result.findings if finding.kind == "duplicate"] == [
        "03-01-03-01-02-02-07"
    ]
