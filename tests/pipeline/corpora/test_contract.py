"""What every corpus reader promises, on a miniature tree of each."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import lookup, tables, tokens
from pipeline.corpora import Licence
from pipeline.corpora import _preparation as preparation
from pipeline.corpora._totals import Totals
from pipeline.schema import Rejection, Utterance
from tests.resources import miniature
from tests.resources.prepare_stage import flagged

SYNTHETIC = ("demo", "demo_zh")  # built by the project itself, with tests of their own
# Every corpus has a function of its name in tests/resources/miniature.py; some have
# more than one layout.
TREES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    **{
        name: (name, getattr(miniature, name))
        for name in lookup.names("corpora")
        if hasattr(miniature, name)
    },
    "meld, nested": ("meld", lambda folder: miniature.meld(folder, nested=True)),
    "chsims, first release": ("chsims", lambda folder: miniature.chsims(folder, layout="first")),
}


def read(name: str, root: Path) -> list[Utterance | Rejection]:
    module = lookup.component("corpora", name)
    values: dict[str, Any] = {}
    if "cache" in module.Config.__dataclass_fields__:
        values["cache"] = str(root.parent / "cache")
    if "corpora" in module.Config.__dataclass_fields__:
        values["corpora"] = list(miniature.JOINED)
    return list(module.read(root, lookup.configure(module.Config, values, name)))


@pytest.fixture(scope="module", params=list(TREES))
def corpus(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    name, build = TREES[request.param]
    return name, build(tmp_path_factory.mktemp(name))


def test_corpora_without_human_speakers_say_so() -> None:
    stated = {
        name
        for name in lookup.names("corpora")
        if getattr(lookup.component("corpora", name), "SYNTHETIC", False)
    }
    assert stated == set(SYNTHETIC)


@pytest.mark.parametrize("name", lookup.names("corpora"))
def test_every_corpus_has_a_miniature_tree(name: str) -> None:
    assert name in SYNTHETIC or hasattr(miniature, name)


def test_utterances_are_complete_and_their_ids_distinct(corpus: tuple[str, Path]) -> None:
    name, root = corpus
    utterances = [row for row in read(name, root) if isinstance(row, Utterance)]
    assert len(utterances) >= 2
    assert len({row.utterance_id for row in utterances}) == len(utterances)
    for row in utterances:
        assert row.corpus == name
        assert row.emotion and row.emotion == row.emotion.strip().lower()
        assert row.subset in (None, "train", "valid", "test")
        assert row.style in (None, "improvised", "scripted")
        assert row.transcript is None or row.transcript == row.transcript.strip() != ""
        assert all(isinstance(value, float) for value in row.ratings.values())
        # What the prepare stage adds.
        assert (row.words, row.audio_sha256, row.duration, row.duplicate_of) == (
            (),
            None,
            None,
            None,
        )
        for path in filter(None, (row.audio_path, row.alignment_path)):
            assert Path(path).is_relative_to(root) or Path(path).is_relative_to(
                root.parent / "cache"
            )
            assert not Path(path).name.startswith("._")


def test_rejections_say_why_and_where(corpus: tuple[str, Path]) -> None:
    name, root = corpus
    for row in read(name, root):
        if isinstance(row, Rejection):
            assert row.stage == "prepare" and row.utterance_id and row.reason and row.detail
            assert not row.utterance_id.startswith("._")


def test_every_row_is_used_or_rejected_and_survives_storage(
    corpus: tuple[str, Path], tmp_path: Path
) -> None:
    name, root = corpus
    rows = read(name, root)
    utterances = [row for row in rows if isinstance(row, Utterance)]
    prepared = [preparation.prepare_utterance(row, tokens.Config()) for row in utterances]
    used = flagged(row for row in prepared if isinstance(row, Utterance))
    rejected = [row for row in [*rows, *prepared] if isinstance(row, Rejection)]
    assert len(rows) == len(used) + len(rejected)
    assert len(used) >= 2
    assert all(row.audio_path is None or (row.duration or 0) > 0 for row in used)
    assert all(row.words for row in used if row.transcript)
    tables.write_utterances(tmp_path / "utterances.parquet", used)
    tables.write_rejections(tmp_path / "rejects.parquet", rejected)
    assert tables.read_utterances(tmp_path / "utterances.parquet") == used
    assert sorted(map(repr, tables.read_rejections(tmp_path / "rejects.parquet"))) == sorted(
        map(repr, rejected)
    )


def test_the_order_does_not_depend_on_the_file_system(
    corpus: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, root = corpus
    before = read(name, root)
    listdir, scandir = os.listdir, os.scandir

    class Backwards:
        def __init__(self, path: Any) -> None:
            with scandir(path) as entries:
                self.entries = list(entries)[::-1]

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self.entries)

        def __exit__(self, *error: object) -> None:
            self.entries.clear()

        def __iter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self.entries)

    monkeypatch.setattr(os, "listdir", lambda path=".": listdir(path)[::-1])
    monkeypatch.setattr(os, "scandir", Backwards)
    assert read(name, root) == before


@pytest.mark.parametrize("name", lookup.names("corpora"))
def test_module_states_licence_citation_layout_and_totals(name: str) -> None:
    module = lookup.component("corpora", name)
    for part in ("Citation: ", "Layout"):
        assert f"\n{part}" in (module.__doc__ or "")
    assert isinstance(module.LICENCE, Licence) and module.LICENCE.name
    assert module.TOTALS is None or isinstance(module.TOTALS, Totals)
    assert module.read.__doc__ and module.Config.__doc__


@pytest.mark.parametrize("name", lookup.names("corpora"))
def test_mistakes_in_configuration_and_place_say_what_was_expected(
    name: str, tmp_path: Path
) -> None:
    module = lookup.component("corpora", name)
    with pytest.raises(lookup.ConfigurationError, match="unknown key speed, expected one of"):
        lookup.configure(module.Config, {"speed": 1}, name)
    for root in (tmp_path / "missing", tmp_path):
        with pytest.raises(lookup.ConfigurationError, match="expected"):
            read(name, root)
