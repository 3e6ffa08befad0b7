"""Speed and truth of word alignment on speech whose word times are known, on one core.

    python benchmarks/alignment.py [FOLDER]

FOLDER holds utterances.csv, words.csv and wav/ as the demo corpus has them
(data/raw/demo); without one, some sentences are spoken anew. The reference of
`pocketsphinx` is the package as it comes: its second pass over the word lattice on, its
own beams, a decoder that keeps its state from clip to clip, and the same noise before
and after the clip. `real_time_factor` is seconds / audio_seconds. Each side runs in a
process of its own, whose peak memory is told.
"""

import csv
import json
import multiprocessing
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import soundfile

from pipeline import audio
from pipeline.alignment import _check as alignment_check
from pipeline.alignment import given, pocketsphinx, uniform
from pipeline.demo import synthesis
from pipeline.schema import AlignmentError, Utterance, WordSpan

LIMIT = 150  # utterances: some seven minutes of speech
Answers = Iterator[tuple[str, list[WordSpan] | AlignmentError]]
SUBJECTS = (
    "the teacher",
    "my brother",
    "nobody here",
    "that old woman",
    "every child",
    "your doctor",
)
VERBS = (
    "wanted to see",
    "came back to",
    "forgot about",
    "was talking about",
    "never liked",
    "paid for",
)
OBJECTS = ("the wooden house", "a beautiful garden", "this terrible soup", "another small ticket")


def measure(folder: Path | None = None) -> list[dict[str, Any]]:
    """One row per aligner: seconds, real-time factor, ratio = reference / ours, words
    placed and their errors in ms.
    """
    with tempfile.TemporaryDirectory() as name:
        root = folder if folder is not None else _speak(Path(name))
        rows = []
        for component, reference, ours, theirs in (
            ("pocketsphinx", "pocketsphinx as it comes", _pocketsphinx, _as_it_comes),
            ("uniform", None, _uniform, None),
        ):
            result = _in_a_process(ours, root)
            row = {"component": component, "reference": reference, **result}
            if theirs is not None:
                other = _in_a_process(theirs, root)
                row |= {
                    f"reference_{key}": value
                    for key, value in other.items()
                    if key != "audio_seconds"
                }
                row["ratio"] = other["seconds"] / result["seconds"]
            rows.append(row)
        return rows


def _in_a_process(align: Callable[[Sequence[Utterance]], Answers], root: Path) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, align, root).result()


def _run(align: Callable[[Sequence[Utterance]], Answers], root: Path) -> dict[str, Any]:
    utterances = list(islice(_utterances(root), LIMIT))
    truth = {
        name: spans
        for name, spans in given.align(utterances, given.Config())
        if isinstance(spans, list)
    }
    list(align(utterances[:1]))  # models are loaded once for a corpus
    start = time.process_time()
    answers = dict(align(utterances))
    seconds = time.process_time() - start
    placed = {name: spans for name, spans in answers.items() if isinstance(spans, list)}
    audio_seconds = sum(soundfile.info(str(item.audio_path)).duration for item in utterances)
    return {
        "audio_seconds": round(audio_seconds, 3),
        "seconds": seconds,
        "real_time_factor": seconds / audio_seconds,
        "utterances": len(utterances),
        "share_placed": len(placed) / len(utterances),
        **alignment_check.word_start_errors(placed, truth),
        "peak_memory_mib": _peak_memory_mib(),
    }


def _pocketsphinx(utterances: Sequence[Utterance]) -> Answers:
    return pocketsphinx.align(utterances, pocketsphinx.Config())


def _uniform(utterances: Sequence[Utterance]) -> Answers:
    return uniform.align(utterances, uniform.Config())


def _as_it_comes(utterances: Sequence[Utterance], decoders: list[Any] = []) -> Answers:  # noqa: B006
    import os

    from pocketsphinx import Decoder

    if not decoders:
        decoders.append(Decoder(lm=None, logfn=os.devnull, loglevel="FATAL"))
    decoder, config = decoders[0], pocketsphinx.Config()
    for utterance in utterances:
        samples = pocketsphinx._prepare(
            audio.load(utterance, pocketsphinx.SAMPLING_RATE), config, None
        )
        decoder.set_align_text(" ".join(utterance.words))
        decoder.start_utt()
        decoder.process_raw(samples, no_search=False, full_utt=True)
        decoder.end_utt()
        segments = [] if decoder.hyp() is None else list(decoder.seg())
        heard = [item for item in segments if not item.word.startswith(("<", "["))]
        if [re.sub(r"\(\d+\)$", "", item.word) for item in heard] != list(utterance.words):
            yield utterance.utterance_id, AlignmentError("partial alignment")
            continue
        times = [
            (item.start_frame / 100 - config.padding, (item.end_frame + 1) / 100 - config.padding)
            for item in heard
        ]
        yield (
            utterance.utterance_id,
            [
                WordSpan(utterance.utterance_id, index, word, *place, None, "reference")
                for index, (word, place) in enumerate(zip(utterance.words, times, strict=True))
            ],
        )


def _utterances(root: Path) -> Iterator[Utterance]:
    words: dict[str, list[str]] = {}
    with (root / "words.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            words.setdefault(row["utterance_id"], []).append(row["word"])
    with (root / "utterances.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # Spread over the corpus, so that all speakers are heard.
    for row in rows[:: max(1, len(rows) // LIMIT)]:
        name = row["utterance_id"]
        times = str(root / "words.csv")
        yield Utterance(
            name,
            "demo",
            "any",
            str(root / row["audio"]),
            words=tuple(words[name]),
            alignment_path=times,
        )


def _speak(folder: Path) -> Path:
    with (
        (folder / "words.csv").open("w", newline="") as words,
        (folder / "utterances.csv").open("w") as utterances,
    ):
        table = csv.writer(words)
        table.writerow(["utterance_id", "word_index", "word", "start", "end"])
        utterances.write("utterance_id,audio\n")
        sentences = [f"{s} {v} {o}" for s in SUBJECTS for v in VERBS for o in OBJECTS]
        for number, sentence in enumerate(sentences):
            edges = [(match.start(), match.end()) for match in re.finditer(r"\S+", sentence)]
            manner = synthesis.Manner(
                voice=("en-us+f3", "en-us+m3", "en-us+f2", "en-us+m1")[number % 4]
            )
            try:
                spoken = synthesis.speak(sentence, edges, manner, sampling_rate=16000, seed=number)
            except synthesis.SynthesisError:
                continue  # two words run together: the truth has no time for one of them
            soundfile.write(folder / f"{number:04d}.wav", spoken.waveform, 16000)
            utterances.write(f"{number:04d},{number:04d}.wav\n")
            rows = enumerate(zip(sentence.split(), spoken.times, strict=True))
            table.writerows([f"{number:04d}", index, word, *place] for index, (word, place) in rows)
    return folder


def _peak_memory_mib() -> float:
    """Peak resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 1024
    )


def main() -> None:
    """Prints the rows as JSON lines."""
    for row in measure(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
