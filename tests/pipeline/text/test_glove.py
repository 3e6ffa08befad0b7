"""GloVe files as found: no header, spaces in words, broken lines, duplicates, words cut
as in the Penn Treebank.
"""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.lookup import ConfigurationError
from pipeline.text import _word_vectors as word_vectors
from pipeline.text import glove

LINES = [
    "the 0.5 -1.5 2e-1",
    ". . . 1 1 1",
    "at name@domain.com 2 2 2",
    ". 3 3 3",
    "do 4 4 4",
    "n't 6 6 8",
    "the 9 9 9",
    "short 1 2",
    "word\u0085line 7 7 7",
    "nan nan 0 0",
    "text one two three",
    "Paris 5 5 5",
    "NASA 8 8 8",
    "last 10 10 10",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "glove.txt"
    file.write_text("\n".join(LINES), encoding="utf-8")
    return file


def test_words_are_found_whatever_stands_around_them(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = [
        "the",
        ".",
        "at",
        "don't",
        "paris",
        "nasa",
        "short",
        "nan",
        "text",
        "last",
        "absent",
        "word\u0085line",
    ]
    with caplog.at_level(logging.WARNING):
        table, known = glove.look_up(wanted, glove.Config(path=path))
    assert table.dtype == np.float32
    assert known.tolist() == [
        True,
        True,
        False,
        True,
        True,
        True,
        False,
        False,
        False,
        True,
        False,
        True,
    ]
    expected = {
        "the": [0.5, -1.5, 0.2],
        ".": [3, 3, 3],
        "don't": [5, 5, 6],
        "paris": [5, 5, 5],
        "nasa": [8, 8, 8],
    }
    for word, vector in expected.items():
        np.testing.assert_allclose(table[wanted.index(word)], vector, rtol=1e-6)
    assert not table[~known].any()
    assert "3 lines of wanted words do not parse" in caplog.text


@pytest.mark.parametrize("policy", ["zero", "mean", "random"])
def test_unknown_words_follow_the_policy(path: Path, policy: str) -> None:
    table, known = glove.look_up(
        ["last", "unheard", "paris", "of"], glove.Config(path=path, unknown=policy)
    )
    assert known.tolist() == [True, False, True, False]
    if policy == "zero":
        assert not table[[1, 3]].any()
    elif policy == "mean":
        np.testing.assert_allclose(table[[1, 3]], np.full((2, 3), 7.5))
    else:
        alone, _ = glove.look_up(["of"], glove.Config(path=path, unknown="random"))
        np.testing.assert_array_equal(table[3], alone[0])
        assert not np.array_equal(table[1], table[3])
        assert np.abs(table[[1, 3]]).max() <= 0.25


def test_a_header_line_is_optional(tmp_path: Path) -> None:
    body = "a 1 2\nb 3 4\n"
    for name, text in {
        "without": body,
        "with": "2 2\n" + body,
        "windows": body.replace("\n", "\r\n"),
    }.items():
        file = tmp_path / name
        file.write_bytes(text.encode())
        table, known = glove.look_up(["b", "a"], glove.Config(path=file))
        assert known.all()
        np.testing.assert_array_equal(table, [[3, 4], [1, 2]])


def test_errors_name_the_file_and_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"none\.txt not found, expected a GloVe.*serflow fetch"
    ):
        glove.look_up(["a"], glove.Config(path=tmp_path / "none.txt"))
    for name, content in {
        "empty": b"",
        "prose": b"no vectors here\nat all really\n",
        "noise": bytes(range(256)) * 20,
    }.items():
        file = tmp_path / name
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="expected lines of a word and its numbers"):
            glove.look_up(["a"], glove.Config(path=file))
    cut = tmp_path / "cut"
    cut.write_text("5 2\na 1 2\nb 3 4\n")
    with pytest.raises(ConfigurationError, match="end after 2 words, expected 5"):
        glove.look_up(["z"], glove.Config(path=cut))


def test_a_large_file_is_read_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    monkeypatch.setattr(word_vectors, "CHUNK", 1 << 16)
    file = tmp_path / "large.txt"
    with file.open("w") as out:
        for row in range(40_000):
            out.write(f"w{row} " + " ".join(["0.12345"] * 50) + "\n")
    tracemalloc.start()
    _, known = glove.look_up(["w3", "w39999", "no"], glove.Config(path=file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert known.tolist() == [True, True, False]
    assert peak < file.stat().st_size / 5


@settings(max_examples=60)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1),
        min_size=1,
        unique=True,
    ),
    st.integers(1, 4),
)
def test_every_written_word_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], dimensions: int
) -> None:
    file = tmp_path_factory.mktemp("glove") / "v.txt"
    table = np.random.default_rng(0).standard_normal((len(words), dimensions)).astype(np.float32)
    lines = [
        f"{word} {' '.join(map(str, row))}" for word, row in zip(words, table.tolist(), strict=True)
    ]
    file.write_text(
        f"{len(words)} {dimensions}\n" + "\n".join(lines) + "\n", encoding="utf-8", newline="\n"
    )
    read, known = glove.look_up(words, glove.Config(path=file))
    assert known.all()
    np.testing.assert_array_equal(read, table)
