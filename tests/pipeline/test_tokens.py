"""Tokenising: written expectations for each rule, and laws over arbitrary text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import tokens
from pipeline.lookup import ConfigurationError

FIGURES = "one two three four five six seven eight nine".split()  # noqa: SIM905
EXPECTED = {
    "Kids are talking by the door.": "kids are talking by the door",
    "I don’t know -- it's Mother's well-known e-mail…": (
        "i don't know it's mother's well known e mail"
    ),
    "[LAUGHTER] No, <sil> {cough} really ++GARBAGE++ (I mean) yes": "no really i mean yes",
    "an open [bracket stays readable": "an open bracket stays readable",
    "'Hello,' she said. ''Get 'em, 'cause dogs' bones''": (
        "hello she said get 'em 'cause dogs bones"
    ),
    "room 21, the 2nd of May 1984, 3.5 1,250,000 007": (
        "room twenty one the second of may nineteen eighty four three point five "
        "one million two hundred fifty thousand zero zero seven"
    ),
    "12th 20th 21st 103rd 1905 2000 2012 1900": (
        "twelfth twentieth twenty first one hundred third nineteen oh five two thousand "
        "twenty twelve nineteen hundred"
    ),
    "0 121 999,999 1100 2009 2010 1000000000": (
        "zero one hundred twenty one nine hundred ninety nine thousand nine hundred ninety nine "
        "eleven hundred two thousand nine twenty ten one billion"
    ),
    "1984th 007th 0th 13TH 3.50 0.5 1,984 2.5th": (
        "one thousand nine hundred eighty fourth zero zero seventh zeroth thirteenth three point "
        "five zero zero point five one thousand nine hundred eighty four two point five"
    ),
    "12345678901 1,000,000,000,000": f"{' '.join(FIGURES)} zero one one trillion",
    f"{10**400:,}": "one" + " zero" * 400,
    "mp3 4x4": "mp three four x four",
    "soft\u00adhyphen zero\u200bwidth": "softhyphen zerowidth",
    "naïve café": "naïve café",
    "?!... ''": "",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), EXPECTED.items())
def test_english(text: str, expected: str) -> None:
    assert tokens.words(text) == tuple(expected.split())


def test_other_languages_keep_their_letters_and_figures() -> None:
    assert tokens.words("Das schwarze Stück Papier, groß: 21!", "de") == (
        "das",
        "schwarze",
        "stück",
        "papier",
        "groß",
        "21",
    )
    assert tokens.words("हिन्दी में", "hi") == ("हिन्दी", "में")


def test_config_keeps_case_and_figures() -> None:
    config = tokens.Config(lowercase=False, digits="keep")
    assert tokens.words("Take 21 Pills", "en", config) == ("Take", "21", "Pills")


def test_mandarin_is_cut_by_jieba_without_punctuation() -> None:
    assert tokens.words("我爱北京天安门！", "zh") == ("我", "爱", "北京", "天安门")
    assert tokens.words("他来到了网易杭研大厦", "zh-CN") == (
        "他",
        "来到",
        "了",
        "网易",
        "杭研",
        "大厦",
    )
    assert "杭研" not in tokens.words("他来到了网易杭研大厦", "zh", tokens.Config(hmm=False))
    assert tokens.words("【笑】，，ＯＫ 50%", "zh") == ("ok", "50")


def test_mandarin_writes_no_cache_and_no_log_line(tmp_path: Path) -> None:
    code = "from pipeline import tokens; print(' '.join(tokens.words('今天天气真好', 'zh')))"
    results = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "TMPDIR": str(tmp_path),
                "PYTHONHASHSEED": seed,
                "PYTHONIOENCODING": "utf-8",
            },
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        for seed in ("1", "2")
    ]
    assert {result.stdout.strip() for result in results} == {"今天天气 真 好"}
    assert [result.stderr for result in results] == ["", ""]
    assert list(tmp_path.iterdir()) == []


def test_stop_words_are_removed_and_a_changed_list_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "stop.txt"
    path.write_text("\ufeffThe\r\n的\n，\ndon’t\n", encoding="utf-8")
    config = tokens.Config(stop_words=path)
    assert tokens.words("The dog, I don't know", "en", config) == ("dog", "i", "know")
    assert tokens.words("我的书", "zh", config) == ("我", "书")
    path.write_text("dog\n", encoding="utf-8")
    assert tokens.words("The dog", "en", config) == ("the",)


def test_a_missing_or_undecodable_stop_list_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="write a UTF-8 file"):
        tokens.words("a", "en", tokens.Config(stop_words=tmp_path / "none.txt"))
    path = tmp_path / "gbk.txt"
    path.write_bytes("的".encode("gbk"))
    with pytest.raises(ConfigurationError, match="write a UTF-8 file"):
        tokens.words("a", "en", tokens.Config(stop_words=path))


def test_a_language_without_spaces_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="write 'zh'"):
        tokens.words("こんにちは", "ja")


@settings(max_examples=300)
@given(st.text(max_size=60))
def test_tokenising_twice_changes_nothing(text: str) -> None:
    once = tokens.words(text)
    assert tokens.words(" ".join(once)) == once


@settings(max_examples=200)
@given(st.text(max_size=60), st.sampled_from(["en", "de", "zh"]))
def test_words_hold_letters_or_figures_and_no_spaces(text: str, language: str) -> None:
    for word in tokens.words(text, language):
        assert word and not any(character.isspace() for character in word)
        assert any(character.isalnum() for character in word)


@settings(max_examples=300)
@given(st.integers(0, 10**10 - 1))
def test_spelled_numbers_can_be_read_back(number: int) -> None:
    spoken = tokens.words(f"{number:,}")
    assert _value(spoken) == number


def _value(spoken: tuple[str, ...]) -> int:
    """Reads English number words; an independent inverse of the spelling."""
    teens = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    small = {word: value for value, word in enumerate(["zero", *FIGURES, *teens.split()])}
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split()):  # noqa: SIM905
        small[word] = 20 + 10 * value
    total = part = 0
    for word in spoken:
        if word in small:
            part += small[word]
        elif word == "hundred":
            part *= 100
        else:
            total += part * {"thousand": 10**3, "million": 10**6, "billion": 10**9}[word]
            part = 0
    return total + part
