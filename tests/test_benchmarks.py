import json
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import gpu, page, run, scale, table_stages, watch
from pipeline import lookup
from pipeline.corpora import manifest
from pipeline.schema import Utterance

ACOUSTIC = {
    "component": "fbank kaldi", "reference": "lhotse", "audio_seconds": 28.0,
    "seconds": 0.0125,
    "real_time_factor": 4.5e-4, "reference_seconds": 0.025, "ratio": 2.0,
    "ratio_quartiles": [1.9, 2.1],
    "largest_difference": 1.2e-4, "difference_in": "natural log", "peak_memory_mib": 1.26,
    "floor": "the FFT alone", "floor_seconds": 0.0017,
}  # fmt: skip
STEP = {
    "what": "whole step", "case": "back to back", "ours_cpu_s": 0.5, "plain_cpu_s": 3.0,
    "ratio": 6.0,
    "ratio_lowest": 5.5, "ratio_highest": 6.5,
    "largest_difference": {"float32_absolute": 2e-7, "float64_relative": 3e-14},
}  # fmt: skip
MEMORY = {
    "what": "peak memory", "case": "back to back", "ours_bytes": 2**20,
    "plain_bytes": 8 * 2**20,
    "ratio": 8.0,
}  # fmt: skip


def line(table: str, component: str) -> list[str]:
    (found,) = (text for text in table.splitlines() if text.startswith(f"| {component} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs whose parts are made up: no time is spent on measuring."""
    rows = {"acoustic": [ACOUSTIC], "training_step": [run.uniform(STEP), run.uniform(MEMORY)]}

    monkeypatch.setattr(run, "measure_apart", lambda part, quick: rows[part])
    monkeypatch.delenv("SERFLOW_RAVDESS", raising=False)
    return tmp_path / "made"


def test_the_parts_share_one_table(made: Path) -> None:
    run.run(["acoustic", "training_step"], False, made)
    table = (made / "RESULTS.md").read_text()
    assert line(table, "fbank kaldi")[1:] == [
        "lhotse", "28", "0.0125", "0.025", "2", "1.9 to 2.1", "0.0017 s: the FFT alone", "0.00045",
        "1.2e-04",
        "natural log", "1.26", "–",
    ]  # fmt: skip
    step = line(table, "FG_CME whole step, words back to back")
    assert step[2:7] == ["–", "0.5", "3", "6", "5.5 to 6.5"]
    assert step[7:11] == ["–", "–", "2.0e-07", "absolute, float32"]
    assert line(table, "FG_CME peak memory, words back to back")[-2:] == ["1", "8"]
    assert len(step) == len(page.COLUMNS) and "None" not in table
    assert run.machine()["cpu"] in table and "mean nothing" not in table
    run.run(["acoustic"], True, made)
    assert "mean nothing" in (made / "RESULTS.md").read_text()


def test_other_tables_follow_the_first(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"table": "Compression", "cells": {"format": name, "MB an hour": size}}
        for name, size in (("float32", 57.6), ("float16", "28.8 or so"))
    ]
    built = {
        "component": "fbank, FLAC to HDF5, 2 cores", "reference": "librosa", "ratio": 5.0,
        "processor_seconds": 2.0, "reference_processor_seconds": 8.0, "processor_ratio": 4.0,
    }  # fmt: skip
    monkeypatch.setattr(run, "measure_apart", lambda part, quick: [built, *rows])
    run.run(["storage"], False, made)
    lines = (made / "RESULTS.md").read_text().splitlines()
    first = lines.index("## Compression")
    assert lines[first + 2] == "| format | MB an hour |"
    assert lines[first + 4 : first + 6] == ["| float32 | 57.6 |", "| float16 | 28.8 or so |"]
    assert any("2 s of processor time, the reference 8 s, ratio 4" in text for text in lines)


def test_a_part_measured_again_leaves_the_others(made: Path) -> None:
    run.run(["acoustic", "training_step"], False, made)
    run.run(["acoustic"], False, made)
    rows = json.loads((made / "RESULTS.json").read_text())["rows"]
    assert [row["part"] for row in rows] == ["acoustic", "training_step", "training_step"]
    assert rows[1]["ours_cpu_s"] == rows[1]["seconds"] == 0.5


def test_a_part_that_fails_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERFLOW_RAVDESS", str(tmp_path))
    (tmp_path / "03-01.wav").write_bytes(b"no sound")
    monkeypatch.setattr(run.sys, "executable", "false")
    with pytest.raises(SystemExit, match="the benchmark acoustic failed"):
        run.run(["acoustic"], False, tmp_path / "made")
    assert not list((tmp_path / "made").iterdir())


def test_real_recordings_are_spread_over_all_speakers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERFLOW_RAVDESS", str(tmp_path))
    with pytest.raises(SystemExit, match="expected its folder of Actor_01"):
        run.recordings()
    for actor in range(1, 25):
        folder = tmp_path / f"Actor_{actor:02d}"
        folder.mkdir()
        for take in range(4):
            (folder / f"03-01-01-01-01-{take:02d}-{actor:02d}.wav").touch()
            (folder / f"._03-01-01-01-01-{take:02d}-{actor:02d}.wav").touch()
    found = run.recordings()
    assert 16 <= len(found) <= 24 and not any(path.name.startswith(".") for path in found)
    assert len({path.parent for path in found}) >= 16


def test_the_corpora_of_the_table_stages_are_read_whole(tmp_path: Path) -> None:
    table_stages.write_corpora(tmp_path, 120, 20)
    text = list(manifest.read(tmp_path / "text", manifest.Config()))
    cuts = list(manifest.read(tmp_path / "cuts", manifest.Config()))
    assert [type(item) for item in [*text, *cuts]] == [Utterance] * 140
    assert {item.audio_path for item in cuts if isinstance(item, Utterance)} == {
        (tmp_path / "cuts" / "long.wav").as_posix()
    }
    document = yaml.safe_load((tmp_path / "params.yaml").read_text())
    assert set(document["splits"]) == set(table_stages.SPLITS)
    listed = json.loads(Path(document["splits"]["fold_file"]["fold_file"]).read_text())
    assert set(listed) == {item.utterance_id for item in text}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux's /proc tells of processes")
def test_a_watched_command_and_its_workers_stand_apart() -> None:
    work = "sum(i * i for i in range(3 * 10**6))"
    child = f"import time; x = bytearray(80 * 2**20); {work}; time.sleep(0.3)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    took = watch.watch([sys.executable, "-c", code])
    assert took["code"] == 0 and took["seconds"] > 0.3
    assert took["workers_processor_s"] > 0.1 > took["processor_s"]
    assert took["workers_memory_mib"] > 80 > took["memory_mib"] > 5


def test_a_scale_corpus_grows_and_leaves_its_rows_as_they_are(tmp_path: Path) -> None:
    corpus = scale.Corpus(tmp_path / "corpus", 400, own_files=False)
    first = dict(corpus.rows)
    corpus.grow("speaker")
    corpus.grow("scattered")
    assert len(corpus.rows) == 408 and {name: corpus.rows[name] for name in first} == first
    added = [row for name, row in corpus.rows.items() if name not in first]
    assert len({row[2] for row in added[:4]} - {row[2] for row in first.values()}) == 1
    assert {row[2] for row in added[4:]} <= {row[2] for row in corpus.rows.values()}
    found = list(manifest.read(tmp_path / "corpus", manifest.Config()))
    assert len(found) == 408 and all(isinstance(item, Utterance) for item in found)
    assert all(Path(item.audio_path).is_file() and item.end > item.start for item in found)


def test_the_gpu_benchmark_runs_on_a_cpu_and_says_what_that_leaves_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = lookup.systems()
    monkeypatch.setattr(lookup, "systems", lambda: {"LSTM_Attn_s": systems["LSTM_Attn_s"]})
    monkeypatch.setattr(gpu, "LEARNT", ("LSTM_Attn_s",))
    out = tmp_path / "gpu.json"
    words = ["gpu.py", "--device", "cpu", "--quick", "--out", str(out)]
    monkeypatch.setattr(gpu.sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    found = json.loads(out.read_text())
    assert ended.value.code == 0 and found["failed"] == []
    assert [item["encoder"] for item in found["encoders"]] == ["ssl", "ctc", "bert"]
    (system,), (learnt,) = found["systems"], found["accuracy"]
    assert min(system["train_per_second"], system["infer_per_second"]) > 0
    assert system["gpu_busy_share"] is None and "on a GPU" in found["not_measured"][0]
    low, high = learnt["cpu_wa_ci95"]
    assert low <= learnt["wa"] == learnt["cpu_wa"] <= high


def test_the_gpu_benchmark_tells_a_difference_and_what_had_no_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = {"encoder": "ssl", "difference": 0.01}
    monkeypatch.setattr(gpu, "encoders", lambda *_: iter([apart]))
    found = gpu.measure("cpu", 0.0, quick=True)
    assert found["failed"] == ["ssl is 1.0e-02 from the CPU"]
    assert found["systems"] == [] and any(
        "FG_CME: no time" in item for item in found["not_measured"]
    )
