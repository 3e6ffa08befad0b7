import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from pipeline import audio, executor, folders, tables
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


def test_a_grown_corpus_decodes_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, decoded = audio.read, list[str]()

    def noted(path: str, *segment: float | None) -> tuple[np.ndarray, int]:
        decoded.append(Path(path).name)
        return read(path, *segment)

    monkeypatch.setattr(audio, "read", noted)
    monkeypatch.setattr(executor, "run", lambda work, parts, *_: map(work, parts))
    params = tmp_path / "params.yaml"
    params.write_text(
        yaml.safe_dump({"corpora": {"manifest": {"root": str(tmp_path)}}}), encoding="utf-8"
    )
    for number in (3, 4):
        lines = [f"u{index},sad,{index}.wav" for index in range(number)]
        (tmp_path / "manifest.csv").write_text(
            "\n".join(["utterance_id,emotion,audio_path", *lines]), encoding="utf-8"
        )
        for index in range(number):
            if not (path := tmp_path / f"{index}.wav").exists():
                soundfile.write(path, np.full(4000, 0.1 + index / 10), 8000)
                os.utime(path, (1_600_000_000, 1_600_000_000))
        decoded.clear()
        prepare.main("manifest", params, tmp_path / "data")
        assert decoded == (["0.wav", "1.wav", "2.wav"] if number == 3 else ["3.wav"])
    place = folders.utterances(tmp_path / "data", "manifest") / folders.UTTERANCES
    shutil.rmtree(tmp_path / ".scratch")
    made = place.read_bytes()
    prepare.main("manifest", params, tmp_path / "data")
    assert len(decoded) == 5 and place.read_bytes() == made


def test_workers_start_for_what_is_worth_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def run(work: Callable[..., object], parts: list[list[object]], *_: object) -> Iterator[object]:
        sent.extend(map(len, parts))
        return map(work, parts)

    monkeypatch.setattr(executor, "run", run)
    params = tmp_path / "params.yaml"
    params.write_text(
        yaml.safe_dump({"corpora": {"manifest": {"root": str(tmp_path)}}}), encoding="utf-8"
    )

    def grown(rows: int) -> int:
        lines = [f"u{number:04d},sad,a.wav,0,{1 + number}e-4" for number in range(1000, rows)]
        (tmp_path / "manifest.csv").write_text(
            "\n".join(["utterance_id,emotion,audio_path,start,end", *lines]), encoding="utf-8"
        )
        sent.clear()
        prepare.main("manifest", params, tmp_path / "data")
        return sum(sent)

    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-1, 1, 8000), 16000)
    os.utime(tmp_path / "a.wav", ns=(10**18, 10**18))
    assert grown(1000 + prepare.FEW + 1) == prepare.FEW + 1
    assert grown(1000 + prepare.FEW + 101) == 0, "a hundred are decoded before a worker starts"
    monkeypatch.setattr(prepare, "FEW_BYTES", 1000)
    assert grown(1000 + prepare.FEW + 201) == 100, "the others are known"
    folder = folders.utterances(tmp_path / "data", "manifest")
    assert len(tables.read_utterances(folder / folders.UTTERANCES)) == prepare.FEW + 201
