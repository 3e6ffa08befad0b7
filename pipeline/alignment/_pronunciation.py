"""Pronunciations of English words in ARPAbet: from dictionary files, and for unknown
words from espeak-ng's rules.
"""

import _ctypes
import ctypes
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

Pronunciation = tuple[str, ...]

VARIANT = re.compile(r"\(\w+\)$")  # "read(2)": a second pronunciation of "read"
_PROBABILITY = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?$")

# From espeak-ng's IPA for en-us; a vowel tied to an r and a syllabic consonant become
# two phones.
_ARPABET: dict[str, str] = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "ʔ": "T", "ɾ": "T",
    "x": "K", "r": "R", "tʃ": "CH", "dʒ": "JH", "f": "F", "v": "V", "θ": "TH", "ð": "DH",
    "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "ç": "HH", "m": "M", "n": "N",
    "ŋ": "NG", "nʲ": "N Y", "n̩": "AH N", "m̩": "AH M", "l": "L", "ɬ": "L", "əl": "AH L",
    "l̩": "AH L", "ɹ": "R", "w": "W", "ʍ": "W", "j": "Y", "ɪ": "IH", "ᵻ": "IH", "i": "IY",
    "iː": "IY", "ɛ": "EH", "e": "EY", "æ": "AE", "a": "AA", "ɑ": "AA", "ɑː": "AA", "ɒ": "AA",
    "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɔ": "AO", "ɔː": "AO", "o": "OW", "oː": "OW", "ʊ": "UH",
    "u": "UW", "uː": "UW", "y": "UW", "eɪ": "EY", "aɪ": "AY", "ɔɪ": "OY", "aʊ": "AW",
    "oʊ": "OW", "iə": "IY AH", "ɚ": "ER", "ɜː": "ER", "ɑːɹ": "AA R", "ɔːɹ": "AO R",
    "oːɹ": "AO R", "ɛɹ": "EH R", "ɪɹ": "IH R", "ʊɹ": "UH R", "ɡʲ": "G Y", "ɑ̃": "AA N",
    "ɔ̃": "AO N", "ɛ̃": "AE N", "aɪɚ": "AY ER", "aʊɚ": "AW ER", "aɪə": "AY AH",
}  # fmt: skip


def read_dictionary(path: str | Path) -> dict[str, tuple[Pronunciation, ...]]:
    """Pronunciations by lower-case word from a CMUdict or MFA dictionary file, in the
    file's order.

    Accepts `WORD PHONES`, variants as `WORD(2)` or repeated lines, `;;;` comments, and
    MFA's probability columns between word and phones. Raises ValueError for a line
    without phones.
    """
    found: dict[str, list[Pronunciation]] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith(";;;"):
            continue
        word, *rest = line.split()
        while rest and _PROBABILITY.match(rest[0]):
            rest.pop(0)
        if not rest:
            raise ValueError(f"{path}:{number}: {line!r}, expected a word and its phones")
        variants = found.setdefault(VARIANT.sub("", word).lower(), [])
        if tuple(rest) not in variants:
            variants.append(tuple(rest))
    return {word: tuple(variants) for word, variants in found.items()}


def without_stress(pronunciation: Pronunciation) -> Pronunciation:
    """The phones without their stress digits: ('AH0', 'B') -> ('AH', 'B')."""
    return tuple(phone.rstrip("012") for phone in pronunciation)


@lru_cache(maxsize=65536)
def from_spelling(word: str) -> Pronunciation:
    """The phones of a word, without stress, by espeak-ng's American English rules;
    numbers are read out.

    Raises ValueError when the spelling has no sound ("..."), or espeak-ng answers with
    a sound outside English.
    """
    if any(
        letter.isalpha() and not unicodedata.name(letter, "").startswith("LATIN") for letter in word
    ):
        # espeak-ng would say the name of the script ("Chinese letter") instead.
        raise ValueError(f"no English pronunciation for {word!r}, expected Latin letters")
    text = ctypes.c_char_p(word.encode())
    parts: list[str] = []
    with _espeak() as library:
        while text.value:
            # Mode: IPA (bit 1), phones separated by the character in bits 8 and up.
            answer = library.espeak_TextToPhonemes(ctypes.byref(text), 1, 0x02 | ord("_") << 8)
            parts += re.split(
                r"[_\s]+", re.sub(r"\([a-z-]+\)|[ˈˌ]|(?<=ː)ː", "", (answer or b"").decode())
            )
    sounds = [part for part in parts if part]
    unknown = [sound for sound in sounds if sound not in _ARPABET]
    if unknown or not sounds:
        raise ValueError(
            f"no English pronunciation for {word!r}: sounds {sounds}, expected letters or digits"
        )
    return tuple(" ".join(_ARPABET[sound] for sound in sounds).split())


@contextmanager
def _espeak() -> Iterator[Any]:
    """The library with its American voice; unloaded afterwards, because the demo corpus
    speaks with the same library and would share its state.
    """
    import espeakng_loader

    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int,
        ctypes.c_int,
    ]
    try:
        # 2: synchronous, no sound device. 0x8000: an error is returned and does not end
        # the process.
        if (
            library.espeak_Initialize(2, 0, str(espeakng_loader.get_data_path()).encode(), 0x8000)
            <= 0
        ):
            raise RuntimeError(
                "espeak-ng does not start: `pip install --force-reinstall espeakng-loader`"
            )
        try:
            if library.espeak_SetVoiceByName(b"en-us") != 0:
                raise RuntimeError(
                    "espeak-ng has no voice en-us: `pip install --force-reinstall espeakng-loader`"
                )
            yield library
        finally:
            library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)
