"""The readers of the synthetic corpora: what they fill in, and what they say where
nothing was synthesised.
"""

from pathlib import Path

import pytest

from pipeline import audio, lookup
from pipeline.corpora import _totals as totals
from pipeline.demo import CORPORA
from pipeline.demo import corpus as demo_corpus
from pipeline.demo.plan import plan
from pipeline.lookup import ConfigurationError
from pipeline.schema import Utterance


def read(corpus: str, root: Path) -> list[Utterance]:
    module = lookup.component("corpora", corpus)
    found = list(module.read(root, module.Config()))
    assert all(isinstance(item, Utterance) for item in found)
    return found


@pytest.mark.parametrize("corpus", CORPORA)
def test_reads_what_was_written(corpus: str, tmp_path: Path) -> None:
    lines = plan(corpus)[::50]
    demo_corpus.write(corpus, lines, tmp_path)
    found = read(corpus, tmp_path)
    assert [item.utterance_id for item in found] == [line.utterance_id for line in lines]
    for item, line in zip(found, lines, strict=True):
        assert (item.corpus, item.language, item.emotion) == (corpus, line.language, line.emotion)
        assert (item.speaker, item.dialogue, item.transcript) == (
            line.speaker,
            line.dialogue,
            line.transcript,
        )
        # espeak-ng's variants: f1, Annie, steph … and m1, m3 …
        assert item.sex == ("male" if "+m" in line.manner.voice else "female")
        assert (item.session, item.style) == (line.session or None, line.style or None)
        assert dict(item.ratings) == (
            {} if line.sentiment is None else {"sentiment": line.sentiment}
        )
        assert item.alignment_path == (tmp_path / "words.csv").as_posix()
        assert len(audio.load(item, 16000)) > 16000


@pytest.mark.parametrize("corpus", CORPORA)
def test_totals_are_those_of_the_plan(corpus: str) -> None:
    utterances = [
        Utterance(
            line.utterance_id,
            corpus,
            line.emotion,
            speaker=line.speaker,
            dialogue=line.dialogue,
            style=line.style,
        )
        for line in plan(corpus)
    ]
    assert totals.differences(lookup.component("corpora", corpus).TOTALS, utterances) == []


def test_a_missing_corpus_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"stages\.synthesise demo_zh"):
        read("demo_zh", tmp_path)


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "utterances.csv").write_text("utterance_id,audio\n", encoding="utf-8")
    (tmp_path / "words.csv").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"expected .*'emotion'.* among them"):
        read("demo", tmp_path)
