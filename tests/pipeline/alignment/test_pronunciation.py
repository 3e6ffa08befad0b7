import random
from pathlib import Path

import pytest

from pipeline.alignment import _pronunciation as pronunciation


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def cmudict():
    import pocketsphinx

    return pronunciation.read_dictionary(
        Path(pocketsphinx.get_model_path(), "en-us", "cmudict-en-us.dict")
    )


def test_cmudict_has_its_words_and_variants():
    words = cmudict()
    assert words["hello"] == (("HH", "AH", "L", "OW"), ("HH", "EH", "L", "OW"))
    assert len(words) > 120_000


def test_spelling_rules_agree_with_cmudict():
    """Independent reference: over random dictionary words, few phones differ (names
    included, hence not zero).
    """
    words = cmudict()
    sample = random.Random(0).sample(sorted(word for word in words if word.isalpha()), 300)
    wrong = sum(min(distance(pronunciation.from_spelling(w), p) for p in words[w]) for w in sample)
    total = sum(len(words[w][0]) for w in sample)
    assert wrong / total < 0.17


def test_every_phone_is_one_of_the_acoustic_model():
    phones = {phone for variants in cmudict().values() for variant in variants for phone in variant}
    known = {phone for sounds in pronunciation._ARPABET.values() for phone in sounds.split()}
    assert known == phones


def test_numbers_are_read_out_and_unsound_spellings_refused():
    assert pronunciation.from_spelling("20") == ("T", "W", "EH", "N", "T", "IY")
    for spelling in ("...", "", "中文"):
        with pytest.raises(ValueError, match="expected"):
            pronunciation.from_spelling(spelling)


def test_mfa_probability_columns_and_comments_are_passed_over(tmp_path):
    file = tmp_path / "mfa.dict"
    rows = [";;; comment", "A\t0.99\t0.02\t0.54\t1.1\tAH0", "a 0.03 0.2 1.0 1.0 EY1"]
    file.write_text("\n".join([*rows, "read R EH1 D", "READ(2) R IY1 D", ""]))
    words = pronunciation.read_dictionary(file)
    assert words == {"a": (("AH0",), ("EY1",)), "read": (("R", "EH1", "D"), ("R", "IY1", "D"))}
    assert pronunciation.without_stress(words["a"][0]) == ("AH",)


def test_a_line_without_phones_names_file_and_line(tmp_path):
    file = tmp_path / "broken.dict"
    file.write_text("a AH\nb 0.5\n")
    with pytest.raises(ValueError, match=r"broken\.dict:2.*expected"):
        pronunciation.read_dictionary(file)
