"""Mistakes in params.yaml: one line from `serflow sync`, before any work."""

import copy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages import check
from tests.resources.bad_input import Case, Did
from tests.resources.params_document import DOCUMENT, WITHOUT_ALIGNMENT

NAN, INF = float("nan"), float("inf")
EXPERIMENT = ("experiments", "first")
BOMB = "\n".join(
    [
        "a: &a [x, x, x, x, x, x, x, x, x, x]",
        *(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in pairwise("abcdefghi")),
    ]
)


def setting(*place: Any) -> Callable[[Path], None]:
    """The right document, but the last of `place` under the keys before it."""
    *keys, last, value = place

    def make(path: Path) -> None:
        document = inner = copy.deepcopy(DOCUMENT)
        for key in keys:
            inner = inner[key]
        inner[last] = value
        path.write_text(yaml.safe_dump(document))

    return make


def experiment(**changes: Any) -> Callable[[Path], None]:
    return setting(*EXPERIMENT, {**DOCUMENT["experiments"]["first"], **changes})


def hyperparameters(network: str | None = None, **values: Any) -> Callable[[Path], None]:
    """One of FG_CME, or of a system that reads voice and words without word times."""
    if network is None:
        return setting(*EXPERIMENT, "hyperparameters", values)
    return setting(
        *EXPERIMENT, {**WITHOUT_ALIGNMENT, "network": network, "hyperparameters": values}
    )


def written(text: str | bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return make


def after(text: str) -> Callable[[Path], None]:
    """The right document and these lines."""

    def make(path: Path) -> None:
        path.write_text(f"{yaml.safe_dump(DOCUMENT)}\n{text}\n")

    return make


def fbank(**values: Any) -> Callable[[Path], None]:
    return setting("acoustic", "fbank", values)


def feature(name: str, **values: Any) -> Callable[[Path], None]:
    return setting("acoustic", name, values)


def aligned(**values: Any) -> Callable[[Path], None]:
    chain = DOCUMENT["alignment"]["either"]
    return setting("alignment", "either", {**chain, **values})


def corpus(**values: Any) -> Callable[[Path], None]:
    return setting("corpora", "manifest", {"root": "mine", **values})


def split(**values: Any) -> Callable[[Path], None]:
    labels = DOCUMENT["splits"]["random-two"]
    return setting("splits", "random-two", {**labels, **values})


CASES = [
    Case(
        "a report that is no section",
        setting("report", ["audio"]),
        "report: ['audio'] is not a section",
    ),
    Case("report.audio is a word", setting("report", {"audio": "loud"}), "report: audio = 'loud'"),
    Case(
        "report has an unknown key", setting("report", {"sound": True}), "report: unknown key sound"
    ),
    Case("no file", lambda path: None, "params.yaml is missing"),
    Case("a folder", lambda path: path.mkdir(), "params.yaml is missing"),
    Case("an empty file", written(""), "used"),
    Case("a word", written("fbank"), "holds str, expected sections"),
    Case("a list", written("[1, 2]"), "holds list, expected sections"),
    Case("UTF-16", written("corpora: {}\n".encode("utf-16")), "is not in UTF-8"),
    Case("Latin-1", written("# café\n".encode("latin-1")), "is not in UTF-8"),
    Case("zero bytes", written(bytes(100)), "is not YAML"),
    Case("tabs for spaces", written("corpora:\n\tdemo: {root: a}\n"), "is not YAML"),
    Case("an open bracket", written("corpora: {demo: {root: a}\n"), "is not YAML"),
    Case("two documents", written("corpora: {}\n---\ntext: {}\n"), "is not YAML"),
    Case("a Python object", written("corpora: !!python/object:os.system {}\n"), "is not YAML"),
    Case("an undefined alias", written("corpora: *demo\n"), "is not YAML"),
    Case(
        "an alias inside itself",
        written("corpora: &a {demo: *a}\n"),
        "an alias inside of what it stands for",
    ),
    Case("aliases of aliases (a YAML bomb)", written(BOMB), "aliases make more than 100000 values"),
    Case(
        "a YAML bomb as a value",
        written(f"{BOMB}\ntext: {{glove: {{path: *i}}}}\n"),
        "aliases make more",
    ),
    Case("2000 brackets", written("corpora: " + "[" * 2_000), "nested too deeply"),
    Case("a section twice", after("text: {}"), "key 'text' stands twice"),
    Case(
        "a key twice",
        written("acoustic:\n  fbank:\n    num_mel_bins: 40\n    num_mel_bins: 80\n"),
        "key 'num_mel_bins' stands twice",
    ),
    Case("a date that is none", written("text: {glove: {path: 2026-99-99}}\n"), "is not YAML"),
    Case(
        "a number of 5000 figures",
        written(f"text: {{word2vec: {{epochs: {'9' * 5000}}}}}\n"),
        "is not YAML",
    ),
    Case(
        "a value of 100,000 letters", setting("acoustic", "fbank", "x" * 10**5), "is not a section"
    ),
    Case("a frame length in milliseconds", fbank(frame_length=25), "25 milliseconds are 0.025"),
    Case("a frame shift in milliseconds", fbank(frame_shift=10), "10 milliseconds are 0.01"),
    Case("an infinite frame length", fbank(frame_length=INF), "should be a finite number"),
    Case("a frame length of NaN", fbank(frame_length=NAN), "should be a finite number"),
    Case("a frame length of 0", fbank(frame_length=0), "should be greater than 0"),
    Case("a frame shift of -0.01", fbank(frame_shift=-0.01), "should be greater than 0"),
    Case(
        "a frame shift below a sample", fbank(frame_shift=1e-9), "at least four samples in a frame"
    ),
    Case("a sampling rate in kHz", fbank(sampling_rate=16), "16 kHz are 16000"),
    Case("a sampling rate of 44.1", fbank(sampling_rate=44.1), "should be a valid integer"),
    Case("a sampling rate of 1e12", fbank(sampling_rate=10**12), "less than or equal to 1000000"),
    Case("the samples' rate in kHz", feature("waveform", sampling_rate=8), "8 kHz are 8000"),
    Case(
        "low above high frequency",
        fbank(low_frequency=4000, high_frequency=300),
        "mel filters over",
    ),
    Case("a frequency above half the rate", fbank(high_frequency=16000), "mel filters over"),
    Case(
        "frequencies in kHz",
        fbank(low_frequency=0.02, high_frequency=8),
        "mel filters contain none",
    ),
    Case("600 mel filters", fbank(num_mel_bins=600), "600 mel filters over 257 FFT bins"),
    Case("200 mel filters", fbank(num_mel_bins=200), "mel filters contain none"),
    Case("a billion mel filters", fbank(num_mel_bins=1e9), "1000000000 mel filters over"),
    Case("600 mel filters under MFCC", feature("mfcc", num_mel_bins=600), "600 mel filters"),
    Case(
        "more coefficients than filters",
        feature("mfcc", num_coefficients=50),
        "at most num_mel_bins",
    ),
    Case(
        "short-term frames of 1 ms",
        feature("short_term", frame_length=0.001),
        "expected at least 20",
    ),
    Case(
        "short-term features at 4 kHz", feature("short_term", sampling_rate=4000), "sampling rate"
    ),
    Case("a spectrum in milliseconds", feature("spectrogram", frame_length=25), "0.025"),
    Case("no frame at all", fbank(max_frames=0), "greater than or equal to 1"),
    Case("an emphasis of 97", fbank(preemphasis=97), "should be less than 1"),
    Case(
        "padding in milliseconds",
        aligned(chain={"pocketsphinx": {"padding": 200}}),
        "200 milliseconds are 0.2",
    ),
    Case("a failed share in per cent", aligned(max_failed_share=20), "less than or equal to 1"),
    Case("a failed share of NaN", aligned(max_failed_share=NAN), "finite"),
    Case(
        "vectors of a billion numbers",
        setting("text", "word2vec", {"vector_size": 10**9}),
        "less than or equal to 10000",
    ),
    Case("a path that is a number", setting("text", "glove", {"path": 3}), "not a valid path"),
    Case(
        "an encoding that is none", corpus(reader={"encoding": "utf-9"}), "name of a text encoding"
    ),
    Case("an encoding of bytes", corpus(reader={"encoding": "zip"}), "name of a text encoding"),
    Case("a root with a variable", corpus(root="$HOME/mine"), "would not be expanded by DVC"),
    Case("a root with ~", corpus(root="~/mine"), "would not be expanded by DVC"),
    Case("an empty root", corpus(root=""), "expected the folder of the corpus"),
    Case("a root with a line", corpus(root="a\nb"), "expected the folder of the corpus"),
    Case("a validation share of NaN", split(validation_share=NAN), "finite"),
    Case("a split's seed of -1", split(seed=-1), "greater than or equal to 0"),
    Case("no labels", split(labels={}), "expected two classes or more"),
    Case("one class", split(labels={"angry": "a", "sad": "a"}), "expected two classes or more"),
    Case(
        "a seed of -1",
        experiment(seeds=[-1]),
        "seeds.0 = -1: Input should be greater than or equal to 0",
    ),
    Case("a seed twice", experiment(seeds=[0, 0]), "expected distinct ones"),
    Case("a seed of 1e30", experiment(seeds=[10**30]), "seeds.0"),
    Case(
        "a dropout of 1.5",
        hyperparameters(dropout=1.5),
        "dropout probability has to be between 0 and 1",
    ),
    Case("a dropout of NaN", hyperparameters(dropout=NAN), "expected numbers from 0"),
    Case("a dropout of -0.1", hyperparameters(dropout=-0.1), "expected numbers from 0"),
    Case(
        "fewer kernels than layers",
        hyperparameters(channels=[4, 4], kernel_sizes=[3]),
        "FG_CME cannot be built",
    ),
    Case(
        "fewer kernels than layers of samples",
        hyperparameters("CMA_spec", kernel_sizes=[5]),
        "CMA_spec cannot be built",
    ),
    Case("a kernel of 0", hyperparameters(kernel_sizes=[0, 3, 5]), "FG_CME cannot be built"),
    Case("no channels", hyperparameters(channels=[], kernel_sizes=[]), "FG_CME cannot be built"),
    Case("a hidden size of 0", hyperparameters(hidden_size=0), "FG_CME cannot be built"),
    Case(
        "a hidden size of a million",
        hyperparameters(hidden_size=10**6),
        "more than this machine has",
    ),
    Case("a hidden size of 1e15", hyperparameters(hidden_size=10**15), "FG_CME"),
    Case(
        "a number of heads that does not divide",
        hyperparameters("CMA_spec", num_heads=7),
        "CMA_spec cannot be built",
    ),
    Case(
        "a billion blocks",
        hyperparameters("CMA_spec", num_blocks=10**9),
        "more layers than can be trained",
    ),
    Case(
        "no channels of samples", hyperparameters("CMA_spec", channels=[]), "cannot be built with"
    ),
    Case("an infinite learning rate", experiment(training={"learning_rate": INF}), "finite number"),
    Case("a learning rate of 0", experiment(training={"learning_rate": 0}), "greater than 0"),
    Case("a batch of 0", experiment(training={"batch_size": 0}), "greater than or equal to 1"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_params(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    path = user.folder / "params.yaml"
    case.make(path)
    line = user.serflow("sync")
    if line is None:
        line = user.stage(
            check.main,
            user.folder / "checked",
            "--params",
            path,
            "--build",
            user.folder / "build.yaml",
        )
    settle(case, line or "used: nothing to build")
