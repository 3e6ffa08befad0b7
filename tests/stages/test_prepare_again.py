"""What prepare makes of a corpus does not depend on what it was before."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from pipeline import folders, tables
from pipeline.corpora import _preparation as preparation
from pipeline.corpora import _recordings as recordings
from pipeline.corpora import manifest
from pipeline.corpora._rows import source
from tests.resources import fabricated
from tests.resources.prepare_stage import stage

LONG_AGO = 1_600_000_000 * 10**9
COLUMNS = ("utterance_id", "emotion", "audio_path", "start", "end", "transcript", "speaker")
Rows = list[dict[str, str]]


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rows that were read as utterances."""
    own, found = manifest._utterance, list[str]()

    def noted(name: str, *given: object) -> object:
        found.append(name)
        return own(name, *given)

    monkeypatch.setattr(manifest, "_utterance", noted)
    return found


def record(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 8000)
    soundfile.write(path, noise, 8000, subtype="PCM_16")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


def write(folder: Path, rows: Rows) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(f'"{row.get(name, "")}"' for name in columns) for row in rows]
    text = "\n".join([",".join(columns), *lines]) + "\n"
    (folder / "manifest.csv").write_text(text, encoding="utf-8")


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Two speakers of one recording each, a text, and the same recording again."""
    for seed, name in enumerate("ab"):
        record(tmp_path / "corpus" / f"{name}.wav", seed)
    shutil.copy2(tmp_path / "corpus" / "a.wav", tmp_path / "corpus" / "copy.wav")
    cells = [
        (f"{name}{number}", "sad", f"{name}.wav", f"{number / 10}", "0.9", "No, thanks", name)
        for name in "ab"
        for number in range(3)
    ]
    cells += [("t", "happy", "", "", "", "only words", "t")]
    cells += [("c0", "angry", "copy.wav", "0.0", "0.9", "", "c")]
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells]


def more(rows: Rows, _: Path) -> Rows:
    return [*rows, {**rows[0], "utterance_id": "a9", "end": "0.8", "speaker": "d"}]


def less(rows: Rows, _: Path) -> Rows:
    return rows[1:]


def turned(rows: Rows, _: Path) -> Rows:
    return rows[::-1]


def labelled(rows: Rows, _: Path) -> Rows:
    return [{**rows[0], "emotion": "happy"}, *rows[1:]]


def said(rows: Rows, _: Path) -> Rows:
    return [*rows[:2], {**rows[2], "transcript": "Yes"}, *rows[3:]]


def rated(rows: Rows, _: Path) -> Rows:
    return [{**row, "rating_valence": "3" if row is rows[0] else ""} for row in rows]


def twice(rows: Rows, _: Path) -> Rows:
    return [*rows, rows[0]]


def moved(rows: Rows, _: Path) -> Rows:
    return [dict(reversed(row.items())) for row in rows]


def unlabelled(rows: Rows, _: Path) -> Rows:
    return [*rows[:-1], {**rows[-1], "emotion": ""}]


def recorded(rows: Rows, folder: Path) -> Rows:
    record(folder / "new.wav", 9)
    (folder / "new.wav").replace(folder / "b.wav")
    return rows


def gone(rows: Rows, folder: Path) -> Rows:
    (folder / "b.wav").unlink()
    return rows


def left(rows: Rows, folder: Path) -> Rows:
    """A file of word times that now lies elsewhere."""
    return [{**row, "alignment_path": "../a.ctm" if row is rows[0] else ""} for row in rows]


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (more, 1), (less, 0), (turned, 0), (labelled, 1), (said, 1), (rated, 8), (twice, 0),
        (moved, 8), (unlabelled, 1), (recorded, 3), (gone, 3), (left, 8),
    ],
)  # fmt: skip
def test_a_changed_corpus_is_what_it_would_be_from_nothing(
    tmp_path: Path, rows: Rows, made: list[str], change: Callable[[Rows, Path], Rows], count: int
) -> None:
    corpus = tmp_path / "corpus"
    write(corpus, rows)
    first = stage(corpus, tmp_path / "grown")
    made.clear()
    write(corpus, change(rows, corpus))
    second = stage(corpus, tmp_path / "grown")
    assert len(made) == count
    assert second == stage(corpus, tmp_path / "clean")
    # And back again.
    if change not in (recorded, gone):
        write(corpus, rows)
        made.clear()
        assert stage(corpus, tmp_path / "grown") == first
        assert len(made) <= len(rows)


def test_a_table_of_numbers_is_taken_over_too(tmp_path: Path, rows: Rows, made: list[str]) -> None:
    def written(rows: Rows) -> None:
        numbers = {
            name: [float(row[name] or 0) or None for row in rows] for name in ("start", "end")
        }
        columns = {name: [row[name] or None for row in rows] for name in COLUMNS}
        pq.write_table(pa.table(columns | numbers), tmp_path / "corpus" / "m.parquet")

    reader = {"reader": {"file": "m.parquet"}}
    written(rows)
    stage(tmp_path / "corpus", tmp_path / "grown", **reader)
    made.clear()
    written(more(rows, tmp_path))
    second = stage(tmp_path / "corpus", tmp_path / "grown", **reader)
    assert made == ["a9"]
    assert second == stage(tmp_path / "corpus", tmp_path / "clean", **reader)


@pytest.mark.parametrize(
    "settings", [{"reader": {"language": "de"}}, {"tokens": {"lowercase": False}}]
)
def test_other_settings_read_every_row_again(
    tmp_path: Path, rows: Rows, made: list[str], settings: dict
) -> None:
    write(tmp_path / "corpus", rows)
    stage(tmp_path / "corpus", tmp_path / "grown")
    made.clear()
    second = stage(tmp_path / "corpus", tmp_path / "grown", **settings)
    assert len(made) == len(rows)
    assert second == stage(tmp_path / "corpus", tmp_path / "clean", **settings)


def test_a_link_that_leads_out_of_the_folder_is_no_known_recording(
    tmp_path: Path, rows: Rows, made: list[str]
) -> None:
    corpus = tmp_path / "corpus"
    write(corpus, rows)
    stage(corpus, tmp_path / "grown")
    made.clear()
    shutil.copy2(corpus / "b.wav", tmp_path / "outside.wav")
    (corpus / "b.wav").unlink()
    (corpus / "b.wav").symlink_to(tmp_path / "outside.wav")
    stage(corpus, tmp_path / "grown")
    rejected = tables.read_rejections(
        folders.utterances(tmp_path / "grown" / "data", "manifest") / folders.REJECTS
    )
    assert {item.reason for item in rejected} == {"path leaves the corpus folder"}
    assert made == ["b0", "b1", "b2"]


def test_cells_have_one_text_and_no_others_have_it() -> None:
    cells = [
        ["a", "b"],
        ["a\0b"],
        ["a", "b", ""],
        ["", "a", "b"],
        ["a", 1.0],
        ["a", "1.0"],
        ["a", None],
    ]
    assert len({source(row) for row in cells}) == len(cells)


def test_a_column_of_a_recogniser_is_left_where_nobody_recognised(tmp_path: Path) -> None:
    heard = fabricated.utterances()[0]
    rows = tables.utterance_table([dataclasses.replace(heard, words_from="whisper")])
    former = recordings.Former(rows, np.ones(1, bool), "", {})
    table = preparation.together(former, recordings.Read(), [heard])
    assert not {*tables.RECOGNISED} & {*table.column_names}
