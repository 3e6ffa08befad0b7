"""A small corpus as a user has one, with everything in it that goes wrong, and the
stages over it in this process.
"""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.resources import fabricated, recordings

LABELS = ("angry", "neutral", "sad")
SENTENCES = ("No, not again!", "the rain is late", "why go home", "yes, tea at two")
GOOD = 24
COLUMNS = ("utterance_id", "emotion", "audio_path", "transcript", "start", "end", "speaker")

# utterance_id -> (emotion, audio_path, transcript), and the stage and reason of its
# rejection.
BAD: dict[str, tuple[tuple[str, str, str], str, str]] = {
    "corrupt": (("sad", "corrupt.wav", "no"), "prepare", "audio unreadable"),
    "zero bytes": (("sad", "empty.wav", "no"), "prepare", "audio unreadable"),
    "truncated": (("sad", "truncated.wav", "no"), "prepare", "audio truncated"),
    "no samples": (("sad", "without_samples.wav", "no"), "prepare", "audio empty"),
    "silent": (("sad", "silent.wav", "no"), "prepare", "audio silent"),
    "missing": (("sad", "nowhere.wav", "no"), "prepare", "audio not found"),
    "folder": (("sad", "wav", "no"), "prepare", "audio not found"),
    "outside": (("sad", "../secret.wav", "no"), "prepare", "path leaves the corpus folder"),
    "unlabelled": (("", "wav/u00.wav", "no"), "prepare", "no label"),
    "nothing": (("sad", "", ""), "prepare", "no audio and no transcript"),
    "bad times": (("sad", "wav/u00.wav", "no"), "prepare", "segment outside the recording"),
    "too short": (("sad", "short.wav", "no"), "acoustic", "audio too short"),
    "text only": (("sad", "", "no rain"), "acoustic", "no audio"),
    "audio only": (("sad", "alone.wav", ""), "text", "no words"),
    "only a noise": (("sad", "noise.wav", "[LAUGHTER] ..."), "text", "no words"),
    "outside the scheme": (("bored", "bored.wav", "no"), "split", "label outside the scheme"),
    "u01 again": (("sad", "wav/u01.wav", "yes, tea at two"), "split", "duplicate audio"),
}
ACOUSTIC = ("fbank", "fbank-short")
EXPERIMENT: dict[str, Any] = {
    "corpus": "manifest",
    "network": "FG_CME",
    "acoustic": "fbank",
    "alignment": "uniform",
    "text": "word2vec",
    "split": "random-three",
    "hyperparameters": fabricated.SMALL["FG_CME"],
    "training": {"epochs": 2, "batch_size": 8},
}
DOCUMENT: dict[str, Any] = {
    "corpora": {"manifest": {"root": ""}},
    "acoustic": {
        "fbank": {"num_mel_bins": 8},
        "fbank-short": {"num_mel_bins": 8, "max_frames": 20},
    },
    "alignment": {"uniform": {"chain": {"uniform": {}}, "max_failed_share": 0.5}},
    "text": {
        "word2vec": {"vector_size": 4, "epochs": 2},
        "glove": {"path": "", "max_unknown_share": 1},
        "one_hot": {},
    },
    "splits": {
        "random-three": {
            "labels": {name: name for name in LABELS},
            "allow": ["speaker", "session", "sentence"],
            "folds": 2,
            "validation_share": 0.3,
        }
    },
    "experiments": {"small": EXPERIMENT},
}


def write(root: Path) -> Path:
    """The corpus in a folder; every good recording has other samples."""
    rows = []
    for number in range(GOOD):
        recordings.write(
            root / "wav" / f"u{number:02d}.wav", seconds=0.5 + 0.02 * number, seed=number
        )
        place = f"wav/u{number:02d}.wav"
        rows.append(
            (
                f"u{number:02d}",
                LABELS[number % 3],
                place,
                SENTENCES[number % 4],
                "",
                "",
                f"s{number % 4}",
            )
        )
    for name in ("corrupt", "empty", "truncated", "without_samples", "silent"):
        getattr(recordings, f"write_{name}")(root / f"{name}.wav")
    recordings.write(root / "short.wav", seconds=0.02, seed=90)
    for seed, name in enumerate(("alone", "noise", "bored"), start=91):
        recordings.write(root / f"{name}.wav", seed=seed)
    recordings.write(root.parent / "secret.wav", seed=99)
    for name, (fields, _, _) in BAD.items():
        times = ("5.0", "6.0") if name == "bad times" else ("", "")
        rows.append((name, *fields, *times, "s0"))
    # Three rows with one name: the first is used.
    rows += [("u00", "sad", "wav/u00.wav", "no", "", "", "s0")] * 2
    with (root / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return root


def write_params(folder: Path, root: Path, **experiment: Any) -> Path:
    """A params file beside the corpus; an experiment's key set to None is left out."""
    vectors, chosen = folder / "vectors.txt", EXPERIMENT | experiment
    vectors.write_text("no 1 0\nrain 0 1\n")
    document = DOCUMENT | {
        "corpora": {"manifest": {"root": str(root)}},
        "text": DOCUMENT["text"] | {"glove": {"path": str(vectors), "max_unknown_share": 1}},
        "experiments": {"small": {key: value for key, value in chosen.items() if value}},
    }
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def run_stages(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Prepare to evaluate under a folder; returns the params file. data/, models/ and
    scratch/ lie beside it.
    """
    fabricated.run_serially(monkeypatch)
    params_file = write_params(folder, write(folder / "corpus"))
    build(folder, params_file)
    return params_file


def build(folder: Path, params_file: Path) -> None:
    """Every stage once."""
    from stages import acoustic, align, evaluate, prepare, split, text, train

    data = folder / "data"
    prepare.main("manifest", params_file, data)
    for feature in ACOUSTIC:
        acoustic.main("manifest", feature, params_file, data)
    align.main("manifest", "uniform", params_file, data)
    for embedding in ("word2vec", "glove"):
        text.main("manifest", embedding, params_file, data)
    split.main("manifest", "random-three", params_file, data)
    train.main("small", params_file, data, folder / "models", folder / "scratch")
    evaluate.main("small", params_file, data, folder / "models")
