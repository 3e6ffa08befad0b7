import pytest

from pipeline import corpora, lookup
from pipeline.corpora import joined
from pipeline.lookup import ConfigurationError
from tests.resources import miniature


def test_names_of_two_corpora_are_never_taken_for_another(tmp_path):
    root = miniature.joined(tmp_path)
    found = list(joined.read(root, joined.Config(corpora=["two", "one"])))
    assert [item.utterance_id for item in found] == [
        f"{corpus}.u{number}" for corpus in ("one", "two") for number in range(4)
    ]
    assert [item.speaker for item in found if item.speaker] == [
        f"{corpus}.s{number}" for corpus in ("one", "two") for number in (1, 2, 3)
    ]
    assert found[0].speaker is None and found[0].session is None


def test_a_corpus_that_is_not_prepared_is_named_with_its_command(tmp_path):
    root = miniature.joined(tmp_path)
    with pytest.raises(ConfigurationError, match="expected what `dvc repro prepare@three` makes"):
        list(joined.read(root, joined.Config(corpora=["one", "three"])))
    with pytest.raises(ConfigurationError, match="is no name"):
        list(joined.read(root, joined.Config(corpora=["one", "../two"])))
    with pytest.raises(ConfigurationError, match=r"corpora = .*at least 2 items"):
        lookup.configure(joined.Config, {"corpora": ["one"]}, "x")


def test_its_dependencies_are_the_prepared_corpora():
    made = corpora.settings(
        "joined-both", {"root": "data/utterances", "reader": {"corpora": ["two", "one"]}}
    )
    assert list(made.places.values()) == [
        "data/utterances/one/utterances.parquet",
        "data/utterances/two/utterances.parquet",
    ]
