from pathlib import Path

import pytest
import yaml

from pipeline.commands import corpus
from pipeline.lookup import ConfigurationError
from tests.resources import miniature


@pytest.mark.parametrize(
    "name", ["..", "", "-x", "a/b", "manifest/../..", "manifest-x; touch y", "manifest-a/b"]
)
def test_a_name_that_is_no_word_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name"):
        corpus.inspect(name, str(tmp_path), tmp_path / "params.yaml")


@pytest.mark.parametrize("root", ["$CORPORA/mine", "~/mine"])
def test_a_root_that_dvc_would_not_expand_is_refused(tmp_path: Path, root: str) -> None:
    with pytest.raises(ConfigurationError, match="would not be expanded by DVC"):
        corpus.inspect("manifest", root, tmp_path / "params.yaml")


def test_another_root_is_read_with_the_settings_of_params_yaml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = miniature.manifest(tmp_path)
    (root / "manifest.csv").rename(root / "mine.csv")
    document = {"corpora": {"manifest": {"root": "nowhere", "reader": {"file": "mine.csv"}}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert not corpus.inspect("manifest", str(root), tmp_path / "params.yaml")
    said = capsys.readouterr().out
    assert "not fit for training" in said and "licence: yours" in said


def test_a_corpus_without_a_root_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="say where it lies with --root"):
        corpus.inspect("ravdess", None, tmp_path / "params.yaml")
