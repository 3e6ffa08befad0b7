"""The demo corpora as files: two runs write the same bytes."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline import tokens
from pipeline.demo import CORPORA
from pipeline.demo import corpus as demo_corpus
from pipeline.demo.plan import plan


@pytest.mark.parametrize("corpus", CORPORA)
def test_two_runs_write_the_same_bytes(corpus: str, tmp_path: Path) -> None:
    lines = plan(corpus)[::60]
    for name in ("one", "two"):
        demo_corpus.write(corpus, lines, tmp_path / name)
    files = sorted(
        path.relative_to(tmp_path / "one")
        for path in (tmp_path / "one").rglob("*")
        if path.is_file()
    )
    assert len(files) == len(lines) + 3
    assert all(
        (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
        for path in files
    )


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_word_of_the_transcript_has_its_time(corpus: str) -> None:
    for line in plan(corpus)[::40]:
        speech, words = demo_corpus.perform(line, 16000)
        assert tuple(word for word, _, _ in words) == tokens.words(line.transcript, line.language)
        assert all(0 <= start < end <= len(speech.waveform) / 16000 for _, start, end in words)
        assert all(first[2] <= second[1] for first, second in pairwise(words))
