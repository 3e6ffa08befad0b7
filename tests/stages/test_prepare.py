from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from pipeline import executor, folders, tables
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


def test_many_utterances_go_to_a_worker_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time, the way to a worker took longer than the work: 200,000 rows were a
    minute of processor time.
    """
    sent: list[int] = []

    def run(work: Callable[..., object], parts: list[list[object]], *_: object) -> Iterator[object]:
        sent.extend(map(len, parts))
        return map(work, parts)

    monkeypatch.setattr(executor, "run", run)
    monkeypatch.setenv("SERFLOW_WORKERS", "2")
    lines = [f"u{number:04d},sad,word {number}" for number in range(3000)]
    (tmp_path / "manifest.csv").write_text(
        "\n".join(["utterance_id,emotion,transcript", *lines]), encoding="utf-8"
    )
    params = tmp_path / "params.yaml"
    params.write_text(
        yaml.safe_dump({"corpora": {"manifest-own": {"root": str(tmp_path)}}}), encoding="utf-8"
    )
    prepare.main("manifest-own", params, tmp_path / "data")
    assert len(sent) == 33 and sum(sent) == 3000
    folder = folders.utterances(tmp_path / "data", "manifest-own")
    made = tables.read_utterances(folder / folders.UTTERANCES)
    assert [item.utterance_id for item in made] == [line[:5] for line in lines]
    assert {item.corpus for item in made} == {"manifest-own"}
