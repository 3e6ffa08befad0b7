"""The one tokenisation, which alignment, embeddings and vocabularies share."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from pipeline.lookup import ConfigurationError, checked

# Transcribers' marks for what is not speech: [LAUGHTER], <sil>, {cough}, ++GARBAGE++.
# The content of round brackets stays: uncertain words, but spoken ones.
EVENTS = re.compile(r"\[[^\[\]]*\]|<[^<>]*>|\{[^{}]*\}|【[^【】]*】|\+\+[^+\s]+\+\+")
APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ‛′＇´`ʹ", "'"))
# Words that begin with an apostrophe; any other apostrophe at the edge of a word is
# taken for a quotation mark.
CLIPPED = frozenset({"'bout", "'cause", "'em", "'til", "'tis", "'twas"})
NUMBER = re.compile(
    r"(?<![0-9])([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?(st|nd|rd|th)?(?![0-9])", re.IGNORECASE
)
CODE = re.compile(r"[a-z]{2,3}")
WITHOUT_SPACES = frozenset({"ja", "th", "lo", "km", "my", "yue"})

# Numbers with more figures are read out figure by figure, as 007 is.
LONGEST, LONGEST_GROUPED = 10, 300
YEAR = re.compile(r"1[1-9][0-9]{2}|20[1-9][0-9]")


class LanguageError(ConfigurationError):
    """A language whose text cannot be cut into words here."""


@checked
class Config:
    """How text becomes words.

    `digits` concerns English: "spell" turns 21 into "twenty one", because pronunciation
    dictionaries and word vectors hold words and no figures; "keep" leaves the figures.
    `hmm` lets jieba find Mandarin words that are not in its dictionary. `stop_words` is
    a UTF-8 file with one word a line; these words are removed after tokenising. They
    are then missing from the alignment too: use them only where no aligner reads the
    words.
    """

    lowercase: bool = True
    digits: Literal["spell", "keep"] = "spell"
    stop_words: Path | None = None
    hmm: bool = True


class _Replaced(dict[int, str | None]):
    """For str.translate: what stands for each character, worked out once."""

    def __init__(self, replace: Callable[[str], str | None]) -> None:
        self.replace = replace

    def __missing__(self, code: int) -> str | None:
        self[code] = self.replace(chr(code))
        return self[code]


VISIBLE = _Replaced(lambda c: None if unicodedata.category(c) == "Cf" else c)
SPOKEN = _Replaced(lambda c: c if c == "'" or unicodedata.category(c)[0] in "LMN" else " ")


def words(text: str, language: str = "en", config: Config | None = None) -> tuple[str, ...]:
    """The words of a text without punctuation and bracketed events.

    `language` is an ISO 639 code ('en', 'zh', 'de'). English: hyphens separate words,
    apostrophes inside a word stay (don't), curly quotes become straight. Mandarin
    ('zh', 'zh-cn'): the words of jieba. Other languages: runs of Unicode letters, marks
    and digits. Raises LanguageError for a language that is written without spaces and
    has no tokeniser here, and for what is no code.
    """
    config = config or Config()
    code = language.lower().replace("_", "-").partition("-")[0]
    if not CODE.fullmatch(code):
        raise LanguageError(
            f"{language[:80]!r} is no code of a language, expected one such as en, zh or de"
        )
    if code in WITHOUT_SPACES:
        raise LanguageError(
            f"no tokeniser for language {language!r}: write 'zh', or a language that puts spaces "
            "between words"
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
    """The text in Unicode form NFKC, without events and invisible characters, and with
    one kind of apostrophe.
    """
    text = EVENTS.sub(" ", text).translate(APOSTROPHES).translate(VISIBLE)
    text = unicodedata.normalize("NFKC", text)
    # Lower-casing can decompose (İ): normalise once more, so that tokenising twice
    # changes nothing.
    return unicodedata.normalize("NFKC", text.lower()) if lowercase else text


def stop_words(path: Path) -> frozenset[str]:
    """The words of a UTF-8 stop-word file (one a line), normalised as `words` does.

    A file is read again when it has changed. Raises ConfigurationError where it cannot
    be read.
    """
    try:
        state = Path(path).stat()
    except OSError as error:
        raise ConfigurationError(
            f"the stop words {path} cannot be read: write a UTF-8 file with one word a line"
        ) from error
    return _stop_words(Path(path), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _stop_words(path: Path, _modified: int, _size: int) -> frozenset[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the stop words {path} cannot be read ({error}): write a UTF-8 file with one word "
            "a line"
        ) from error
    return frozenset(normalise(line.strip()) for line in lines if line.strip())


def _runs(text: str) -> Iterator[str]:
    """Runs of letters, marks and digits, with single apostrophes inside them."""
    for run in text.translate(SPOKEN).split():
        for piece in run.split("''"):
            word = piece if piece.lower() in CLIPPED else piece.strip("'")
            if _has_letter_or_digit(word):
                yield word


def _mandarin(piece: str) -> Iterator[str]:
    """The words in a piece of jieba's output, which can be `50%`, `c++` or `a-b`."""
    for run in piece.translate(SPOKEN).replace("'", " ").split():
        if _has_letter_or_digit(run):
            yield run


@lru_cache(maxsize=2**16)
def _has_letter_or_digit(word: str) -> bool:
    return any(unicodedata.category(character)[0] in "LN" for character in word)


@cache
def _segmenter() -> Callable[[str, bool], list[str]]:
    """jieba's segmentation with its own dictionary, without a cache file or log lines.

    jieba would load a marshal file from the shared temporary folder, where anybody can
    put one. Reading the dictionary instead takes about a second, once per process.
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
    grouped, whole = "," in match[1], match[1].replace(",", "")
    fraction, ordinal = match[2], match[3]
    leading_zero = not grouped and len(whole) > 1 and whole[0] == "0"
    if leading_zero or len(whole) > (LONGEST_GROUPED if grouped else LONGEST):
        kind = "ordinal" if ordinal and not fraction else "cardinal"
        spoken = [*map(_number, whole[:-1]), _number(whole[-1], kind)]
    elif fraction:
        spoken = [_number(whole)]
    elif ordinal:
        spoken = [_number(whole, "ordinal")]
    else:
        spoken = [_number(whole, "year" if YEAR.fullmatch(match[1]) else "cardinal")]
    if fraction:
        spoken += ["point", *map(_number, fraction[1:])]
    return f" {' '.join(spoken)} "


def _number(figures: str, kind: str = "cardinal") -> str:
    """Figures in words as they are said in American English: one hundred twenty one."""
    # Imported here because it loads the numbers of fifty languages.
    from num2words import num2words

    said: str = num2words(int(figures), to=kind)
    return said.replace(",", "").replace("-", " ").replace(" and ", " ")
