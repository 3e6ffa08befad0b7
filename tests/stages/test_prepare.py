from pathlib import Path

import pytest
import yaml

from pipeline import folders
from pipeline.lookup import ConfigurationError
from stages import prepare


def test_a_corpus_that_is_rejected_as_a_whole_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERFLOW_WORKERS", "1")
    (tmp_path / "manifest.csv").write_text(
        "utterance_id,emotion,audio_path\na,sad,a.wav\nb,happy,b.wav\nc,,c.wav\n",
        encoding="utf-8",
    )
    params = tmp_path / "params.yaml"
    params.write_text(
        yaml.safe_dump({"corpora": {"manifest": {"root": str(tmp_path)}}}), encoding="utf-8"
    )
    with pytest.raises(ConfigurationError) as raised:
        prepare.main("manifest", params, tmp_path / "data")
    message = str(raised.value)
    assert "2 × audio not found, 1 × no label" in message and "\n" not in message
    assert not folders.utterances(tmp_path / "data", "manifest").exists()
