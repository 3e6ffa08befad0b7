"""Words from text: the one tokenisation that alignment, embeddings and vocabularies
share.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from pipeline.lookup import ConfigurationError

# Transcribers' marks for what is not speech: [LAUGHTER], <sil>, {cough}, ++GARBAGE++.
# The content of round brackets stays: uncertain words, but spoken ones.
EVENTS = re.compile(r"\[[^\[\]]*\]|<[^<>]*>|\{[^{}]*\}|【[^【】]*】|\+\+[^+\s]+\+\+")
APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ‛′＇´`ʹ", "'"))
# Clipped words whose apostrophe comes first; any other leading or trailing apostrophe
# is taken for a quotation mark.
CLIPPED = frozenset({"'bout", "'cause", "'em", "'til", "'tis", "'twas"})
NUMBER = re.compile(
    r"(?<![0-9])([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?(st|nd|rd|th)?(?![0-9])", re.IGNORECASE
)
WITHOUT_SPACES = frozenset({"ja", "th", "lo", "km", "my", "yue"})

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Config:
    """How text becomes words; `stop_words` is a UTF-8 file with one word a line,
    removed after tokenising.

    `digits` concerns English: "spell" turns 21 into "twenty one", because pronunciation
    dictionaries and word vectors know the words and not the figures; "keep" leaves
    them. `hmm` lets jieba find Mandarin words outside its dictionary. Removed stop
    words are missing from a forced alignment too: use them only where no aligner reads
    the words.
    """

    lowercase: bool = True
    digits: Literal["spell", "keep"] = "spell"
    stop_words: Path | None = None
    hmm: bool = True


def words(text: str, language: str = "en", config: Config | None = None) -> tuple[str, ...]:
    """The words of a text, without punctuation and bracketed events; `language` is an
    ISO 639 code ('en', 'zh', 'de').

    English: hyphens split, inner apostrophes stay (don't), curly quotes are folded.
    Mandarin ('zh', 'zh-cn'): jieba. Other languages: runs of Unicode letters, marks and
    digits. Raises ConfigurationError for languages written without spaces that have no
    tokeniser here.
    """
    config = config or Config()
    code = language.lower().replace("_", "-").partition("-")[0]
    if code in WITHOUT_SPACES:
        raise ConfigurationError(
            f"no tokeniser for language {language!r}, expected 'zh' or a language written with spaces"
        )
    text = normalise(text, config.lowercase)
    if code in ("zh", "cmn"):
        found = [word for piece in _segmenter()(text, config.hmm) for word in _mandarin(piece)]
    else:
        if code == "en" and config.digits == "spell":
            text = NUMBER.sub(_spoken, text)
        found = list(_runs(text))
    if config.stop_words is not None:
        unwanted = stop_words(config.stop_words)
        found = [word for word in found if word not in unwanted and word.lower() not in unwanted]
    return tuple(found)


def normalise(text: str, lowercase: bool = True) -> str:
    """The text without events and invisible characters, with one kind of apostrophe, in
    Unicode form NFKC.
    """
    text = EVENTS.sub(" ", text).translate(APOSTROPHES)
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    text = unicodedata.normalize("NFKC", text)
    # Lower-casing can decompose (İ): normalise once more, so that tokenising twice
    # changes nothing.
    return unicodedata.normalize("NFKC", text.lower()) if lowercase else text


def stop_words(path: Path) -> frozenset[str]:
    """The words of a UTF-8 stop-word file (one a line), normalised as `words` does;
    read once per file version.
    """
    try:
        state = Path(path).stat()
    except OSError as error:
        raise ConfigurationError(
            f"stop words {path} cannot be read, expected a UTF-8 file with one word a line"
        ) from error
    return _stop_words(Path(path), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _stop_words(path: Path, _modified: int, _size: int) -> frozenset[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"stop words {path}: {error}, expected a UTF-8 file with one word a line"
        ) from error
    return frozenset(normalise(line.strip()) for line in lines if line.strip())


def _runs(text: str) -> Iterator[str]:
    """Runs of letters, marks and digits, joined by single inner apostrophes."""
    spaced = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    for run in spaced.split():
        for piece in run.split("''"):
            word = piece if piece.lower() in CLIPPED else piece.strip("'")
            if _has_letter_or_digit(word):
                yield word


def _mandarin(piece: str) -> Iterator[str]:
    """A piece of jieba's output without punctuation; jieba keeps `50%`, `c++` and `a-b`
    together.
    """
    for run in "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in piece).split():
        if _has_letter_or_digit(run):
            yield run


def _has_letter_or_digit(word: str) -> bool:
    return any(unicodedata.category(character)[0] in "LN" for character in word)


@cache
def _segmenter() -> Callable[[str, bool], list[str]]:
    """jieba's cutting function over its own dictionary, without its cache file and log
    lines.

    jieba would load a marshal file from the shared temporary folder, where anybody can
    put one; reading the dictionary takes about a second, once per process.
    """
    import logging
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba

    jieba.setLogLevel(logging.ERROR)
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True

    def cut(text: str, hmm: bool) -> list[str]:
        return list(tokenizer.cut(text, HMM=hmm))

    return cut


def _spoken(match: re.Match[str]) -> str:
    whole, fraction, ordinal = match[1], match[2], match[3]
    if "," not in whole and (len(whole) > 10 or (len(whole) > 1 and whole[0] == "0")):
        spoken = [_ONES[int(digit)] for digit in whole]
    elif (
        ordinal is None and fraction is None and re.fullmatch(r"1[1-9][0-9]{2}|20[1-9][0-9]", whole)
    ):
        spoken = _year(int(whole))
    else:
        spoken = _cardinal(int(whole.replace(",", "")))
    if fraction is not None:
        spoken += ["point", *(_ONES[int(digit)] for digit in fraction[1:])]
    elif ordinal is not None:
        last = spoken[-1]
        spoken[-1] = _ORDINALS.get(last, (last[:-1] + "ie" if last.endswith("y") else last) + "th")
    return f" {' '.join(spoken)} "


def _year(number: int) -> list[str]:
    """1984 as it is said: nineteen eighty four; 1900 nineteen hundred; 1905 nineteen oh
    five.
    """
    century, rest = divmod(number, 100)
    if rest == 0:
        return [*_cardinal(century), "hundred"]
    return [*_cardinal(century), *(["oh", _ONES[rest]] if rest < 10 else _cardinal(rest))]


def _cardinal(number: int) -> list[str]:
    if number < 20:
        return [_ONES[number]]
    if number < 100:
        tens, ones = divmod(number, 10)
        return [_TENS[tens], *([_ONES[ones]] if ones else [])]
    for scale, name in _SCALES:
        if number >= scale:
            count, rest = divmod(number, scale)
            return [*_cardinal(count), name, *(_cardinal(rest) if rest else [])]
    raise AssertionError("unreachable: every number from 100 on has a scale")
