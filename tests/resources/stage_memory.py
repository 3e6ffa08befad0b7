"""Runs one stage over a corpus and over six times as many utterances, and prints the
peak memory of each run.

A program of its own (`python -m tests.resources.stage_memory STAGE FOLDER`), because
the peak is a process's: the stage's own process and its worker's are one here.
"""

import csv
import gc
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline import executor
from pipeline.shards import _building
from pipeline.text import bert
from stages import acoustic, align, prepare, text
from tests.resources import aligners, small_models

# Of the first, only that it was read: what a process loads once and keeps is no growth.
COUNTS = {"manifest-first": 20, "manifest-few": 20, "manifest-many": 120}
FEATURES = ("egemaps", "fbank", "mfcc", "short_term", "spectrogram", "ssl", "waveform")
ALIGNERS = ("ctc", "given", "mfa", "pocketsphinx", "uniform")
EMBEDDINGS = ("bert-token", "bert-word", "glove-few", "glove-many", "one_hot", "word2vec")
WORDS = " ".join(aligners.SENTENCES.values()).split()
REPEATS = 30  # of a sentence in a transcript for the text stage
VECTORS = {"few": 8_000, "many": 32_000}  # words in a file of 300 dimensions: 14 and 58 MB


def main(stage: str, folder: Path) -> None:
    """Prints {variant: [MiB with few utterances, MiB with many]}."""
    executor.run = _here  # type: ignore[assignment]
    # All utterances through one worker's shard, as full as those of a corpus sixteen
    # times as large.
    _building.MEAN = 2**64
    # What is held to be sorted by length, and encoded at once: few utterances fill it,
    # as many do.
    bert.TOKENS_HELD, bert.TOKENS_AT_ONCE = 4096, 1024
    corpus = _write_corpus(folder / "corpus", REPEATS if stage == "text" else 1)
    variants, params_file = STAGES[stage](folder, corpus)
    if stage != "prepare":
        for name in COUNTS:
            prepare.main(name, params_file, folder / "data")
    print(
        json.dumps(
            {
                variant: [_peak(run, name) for name in COUNTS][1:]
                for variant, run in variants.items()
            }
        )
    )


def _prepare(folder: Path, corpus: Path) -> tuple[dict[str, Callable[[str], None]], Path]:
    params_file = _write_params(folder, corpus)
    return {"manifest": lambda name: prepare.main(name, params_file, folder / "data")}, params_file


def _acoustic(folder: Path, corpus: Path) -> tuple[dict[str, Callable[[str], None]], Path]:
    settings: dict[str, Any] = {name: {} for name in FEATURES}
    settings["ssl"] = {"model": small_models.write_speech_encoder(folder / "encoder")}
    params_file = _write_params(folder, corpus, acoustic=settings)
    return {
        feature: lambda name, feature=feature: acoustic.main(
            name, feature, params_file, folder / "data"
        )
        for feature in FEATURES
    }, params_file


def _align(folder: Path, corpus: Path) -> tuple[dict[str, Callable[[str], None]], Path]:
    settings: dict[str, Any] = {
        name: {"chain": {name: {}}, "max_failed_share": 1.0} for name in ALIGNERS
    }
    settings["mfa"]["chain"]["mfa"] = {"command": aligners.write_mfa(folder / "bin")[0]}
    settings["ctc"]["chain"]["ctc"] = {
        "model": small_models.write_recogniser(folder / "recogniser")
    }
    # Random weights place words at random.
    settings["ctc"]["check"] = {
        "max_start_after_voice": 9,
        "max_end_before_voice": 9,
        "max_silent_share": 1,
    }
    params_file = _write_params(folder, corpus, alignment=settings)
    return {
        aligner: lambda name, aligner=aligner: align.main(
            name, aligner, params_file, folder / "data"
        )
        for aligner in ALIGNERS
    }, params_file


def _text(folder: Path, corpus: Path) -> tuple[dict[str, Callable[[str], None]], Path]:
    settings: dict[str, Any] = {
        "one_hot": {},
        "word2vec": {"fit": "corpus", "vector_size": 8, "epochs": 1},
    }
    encoder = small_models.write_text_encoder(
        folder / "encoder", WORDS, max_tokens=512, hidden_size=512
    )
    settings |= {
        f"bert-{pooling}": {"model": encoder, "pooling": pooling} for pooling in ("token", "word")
    }
    numbers = " ".join(["0.123"] * 300)
    for name, size in VECTORS.items():
        path = folder / f"{name}.txt"
        with path.open("w") as file:
            # Nobody says the last word, so that the whole file is read.
            file.writelines(f"w{number} {numbers}\n" for number in range(size))
        settings[f"glove-{name}"] = {"path": str(path), "max_unknown_share": 1}
    params_file = _write_params(folder, corpus, text=settings)
    run = {
        embedding: lambda name, embedding=embedding: text.main(
            name, embedding, params_file, folder / "data"
        )
        for embedding in EMBEDDINGS
    }
    # What grows is the file of vectors.
    few, many = run.pop("glove-few"), run.pop("glove-many")
    return run | {
        "glove": lambda name: (many if name == "manifest-many" else few)("manifest-few")
    }, params_file


STAGES = {"prepare": _prepare, "acoustic": _acoustic, "align": _align, "text": _text}


def _here(
    function: Callable[[Any], Any], items: Any, description: str, workers: int | None = None
) -> Iterator[Any]:
    return (function(item) for item in items)


def _peak(run: Callable[[str], None], corpus: str) -> float:
    """MiB. Not getrusage: its maximum is inherited from the process that started this
    one, and cannot be reset.
    """
    gc.collect()
    # Without the modules' objects, the collector comes often: cycles that wait for it
    # are no growth either.
    gc.freeze()
    Path("/proc/self/clear_refs").write_text("5")
    run(corpus)
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def _write_corpus(folder: Path, repeats: int) -> Path:
    """Three recordings of speech of some 3 s, with word times, said again and again."""
    folder.mkdir(parents=True)
    spoken, truth = aligners.write_speech(folder)
    for name, spans in truth.items():
        rows = "".join(f'{span.start}\n{span.end}\n"{span.word}"\n' for span in spans)
        head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        head += f"0\n{spans[-1].end}\n<exists>\n1\n"
        tier = f'"IntervalTier"\n"words"\n0\n{spans[-1].end}\n{len(spans)}\n'
        (folder / f"{name}.TextGrid").write_text(head + tier + rows)
    columns = ("utterance_id", "emotion", "audio_path", "transcript", "speaker", "alignment_path")
    for name, count in COUNTS.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(columns)
            for number in range(count):
                item = spoken[number % len(spoken)]
                transcript = " ".join(item.words * repeats)
                place = Path(item.audio_path or "").name
                table.writerow(
                    (
                        f"u{number:04d}",
                        "sad",
                        place,
                        transcript,
                        item.speaker,
                        f"{place[:-4]}.TextGrid",
                    )
                )
    return folder


def _write_params(folder: Path, corpus: Path, **sections: Any) -> Path:
    corpora = {name: {"root": str(corpus), "reader": {"file": f"{name}.csv"}} for name in COUNTS}
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({"corpora": corpora, **sections}))
    return path


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
