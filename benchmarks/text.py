"""Text embeddings against the obvious way, in one run: `python benchmarks/text.py`
prints the comparisons as JSON.

- bert: batches by length against one utterance at a time, the same model, one thread.
- glove, fasttext: the corpus's words read from a file against gensim, which loads the
  whole file.

Each side runs in a process of its own, because peak memory counts for a process; the
text is generated.
"""

import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WORDS = """
i you we they was were is am are feel felt think know want happy sad angry calm wonderful terrible
yesterday today tomorrow morning nobody everybody really never always maybe unbelievable
disappointed grateful door window letter
""".split()  # noqa: SIM905
NUM_UTTERANCES = 400
NUM_VECTORS, DIMENSIONS = 60_000, 100


def utterances() -> list[Any]:
    """Utterances of 1 to 30 words, lengths as skewed as in conversations."""
    from pipeline.schema import Utterance

    generator = random.Random(0)
    lengths = [1 + min(29, int(generator.expovariate(1 / 9))) for _ in range(NUM_UTTERANCES)]
    return [
        Utterance(
            f"u{number:04d}",
            "benchmark",
            "neutral",
            words=tuple(generator.choices(WORDS, k=length)),
        )
        for number, length in enumerate(lengths)
    ]


def bert_batched(folder: Path) -> Callable[[], np.ndarray]:
    from pipeline.text import bert

    spoken, config = utterances(), bert.Config()
    next(iter(bert.embed(spoken[:1], config)))
    return lambda: np.concatenate([rows for _, rows in bert.embed(spoken, config)])


def bert_one_by_one(folder: Path) -> Callable[[], np.ndarray]:
    from pipeline.text import bert

    spoken, config = utterances(), bert.Config()
    next(iter(bert.embed(spoken[:1], config)))
    return lambda: np.concatenate(
        [rows for item in spoken for _, rows in bert.embed([item], config)]
    )


def wanted_words() -> list[str]:
    return [f"word{number}" for number in random.Random(1).sample(range(NUM_VECTORS), 2000)]


def glove_streamed(folder: Path) -> Callable[[], np.ndarray]:
    from pipeline.text import glove

    return lambda: glove.look_up(wanted_words(), glove.Config(path=folder / "vectors.txt"))[0]


def glove_gensim(folder: Path) -> Callable[[], np.ndarray]:
    from gensim.models import KeyedVectors

    def run() -> np.ndarray:
        vectors = KeyedVectors.load_word2vec_format(str(folder / "vectors.txt"))
        return np.stack([vectors[word] for word in wanted_words()])

    return run


def unseen_words() -> list[str]:
    return [*wanted_words()[:1000], *(f"unseenword{number}" for number in range(1000))]


def fasttext_mapped(folder: Path) -> Callable[[], np.ndarray]:
    from pipeline.text import fasttext

    return lambda: fasttext.look_up(unseen_words(), fasttext.Config(path=folder / "model.bin"))[0]


def fasttext_gensim(folder: Path) -> Callable[[], np.ndarray]:
    from gensim.models.fasttext import load_facebook_vectors

    def run() -> np.ndarray:
        vectors = load_facebook_vectors(str(folder / "model.bin"))
        return np.stack([vectors[word] for word in unseen_words()])

    return run


COMPARISONS = [
    ("bert", "one utterance at a time", bert_batched, bert_one_by_one),
    ("glove", "gensim KeyedVectors", glove_streamed, glove_gensim),
    ("fasttext", "gensim load_facebook_vectors", fasttext_mapped, fasttext_gensim),
]


def write_files(folder: Path) -> None:
    """A word2vec text file and a fastText .bin of as many words, both with random
    weights.
    """
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    generator = np.random.default_rng(0)
    with (folder / "vectors.txt").open("w", encoding="utf-8") as file:
        file.write(f"{NUM_VECTORS} {DIMENSIONS}\n")
        for number in range(NUM_VECTORS):
            values = " ".join(f"{value:.5f}" for value in generator.standard_normal(DIMENSIONS))
            file.write(f"word{number} {values}\n")
    model = FastText(vector_size=DIMENSIONS, min_count=1, bucket=200_000, workers=1)
    model.build_vocab([[f"word{number}" for number in range(NUM_VECTORS)]])
    save_facebook_model(model, str(folder / "model.bin"))


def run_side(side: str, folder: Path) -> None:
    """Child process: the best of two runs, saved with what it took."""
    sides = {function.__name__: function for _, _, *pair in COMPARISONS for function in pair}
    run = sides[side](folder)
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - start)
    np.save(folder / f"{side}.npy", result)
    (folder / f"{side}.json").write_text(
        json.dumps({"seconds": best, "peak_memory_mib": peak_memory_mib()})
    )


def peak_memory_mib() -> float:
    """Peak resident memory of this process; getrusage would count what the parent had
    when it forked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 1024
    )


def measure() -> list[dict[str, Any]]:
    """All comparisons; ratio = reference / ours in seconds, peak memory of the whole
    process in MiB.
    """
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        for component, reference, ours, theirs in COMPARISONS:
            for side in (ours, theirs):
                command = [
                    sys.executable,
                    str(Path(__file__).resolve()),
                    side.__name__,
                    str(folder),
                ]
                subprocess.run(command, check=True)
            taken = [
                json.loads((folder / f"{side.__name__}.json").read_text())
                for side in (ours, theirs)
            ]
            results = [np.load(folder / f"{side.__name__}.npy") for side in (ours, theirs)]
            rows.append(
                {
                    "component": component,
                    "reference": reference,
                    "seconds": taken[0]["seconds"],
                    "reference_seconds": taken[1]["seconds"],
                    "ratio": taken[1]["seconds"] / taken[0]["seconds"],
                    "largest_difference": float(np.abs(results[0] - results[1]).max()),
                    "peak_memory_mib": taken[0]["peak_memory_mib"],
                    "reference_peak_memory_mib": taken[1]["peak_memory_mib"],
                }
            )
    return rows


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_side(sys.argv[1], Path(sys.argv[2]))
    else:
        print(json.dumps(measure(), indent=2))
