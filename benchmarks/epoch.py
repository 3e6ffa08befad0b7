"""An epoch of FG_CME from shards against one whose features are computed batch by batch
while it trains, on one core.

The reference is what released code of this kind does: librosa reads each recording and
makes its log mel energies when a batch asks for them, and the layers are the plain
ones. A second row has our layers on both sides, so that only the features differ. The
loss of every step is compared.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from benchmarks import datasets, training_step
from pipeline import tables
from pipeline.acoustic import extract_corpus, fbank
from pipeline.batch import Batch
from pipeline.schema import Utterance
from pipeline.shards import Shards

BATCH, WORDS, STEPS, QUICK = 32, 8, 4, 1


def measure(folder: Path, paths: Sequence[Path], quick: bool) -> list[dict[str, Any]]:
    """Two rows."""
    torch.set_num_threads(1)
    steps = QUICK if quick else STEPS
    utterances = datasets.write_flac(folder / "flac", paths[: BATCH * steps], BATCH * steps)
    extract_corpus(
        tables.utterance_table(utterances),
        "fbank",
        fbank.Config(convention="librosa"),
        folder / "shards",
    )
    shards = Shards(folder / "shards")

    def kept(item: Utterance) -> Tensor:
        return torch.from_numpy(shards.read(item.utterance_id))

    ours = epoch(utterances, kept, "ours")
    rows = []
    for form, layers in (("plain", "librosa batch by batch, plain layers"),
                         ("ours", "librosa batch by batch, our layers")):  # fmt: skip
        theirs = epoch(utterances, on_the_fly, form)
        difference = float(np.abs(np.subtract(ours[1], theirs[1])).max())
        assert difference < 1e-3, f"losses differ by {difference}"
        rows.append(
            {
                "component": f"FG_CME, epoch of {len(utterances)} from shards",
                "reference": layers,
                "seconds": ours[0],
                "reference_seconds": theirs[0],
                "ratio": theirs[0] / ours[0],
                "floor": "the steps alone",
                "floor_seconds": ours[2],
                "largest_difference": difference,
                "difference_in": "loss of a step",
            }
        )
    return rows


def on_the_fly(item: Utterance) -> Tensor:
    """Log mel energies by librosa."""
    import librosa

    waveform, rate = librosa.load(item.audio_path, sr=datasets.RATE)
    power = librosa.feature.melspectrogram(
        y=waveform, sr=rate, n_mels=40, n_fft=512, win_length=400, hop_length=160, window="hamming"
    )
    return torch.from_numpy(np.log(np.maximum(power, 1e-10)).T.copy())


def epoch(
    utterances: Sequence[Utterance], read: Callable[[Utterance], Tensor], form: str
) -> tuple[float, list[float], float]:
    """Processor time of a whole epoch, the loss of its steps, and the time of its
    steps alone.
    """
    network, optimizer = training_step.make_network()
    batch_of(utterances[:BATCH], read)  # what is loaded once
    times, alone, losses = [], [], []
    for first in range(0, len(utterances), BATCH):
        began = time.process_time()
        batch = batch_of(utterances[first : first + BATCH], read)
        ready = time.process_time()
        with torch.no_grad():
            losses.append(
                float(F.cross_entropy(training_step.FORMS[form](network, batch), batch.labels))
            )
        began += time.process_time() - ready
        ready = time.process_time()
        training_step.train_step(form, network, optimizer, batch)
        times.append(time.process_time() - began)
        alone.append(time.process_time() - ready)
    steps = len(times)
    return steps * statistics.median(times), losses, steps * statistics.median(alone)


def batch_of(utterances: Sequence[Utterance], read: Callable[[Utterance], Tensor]) -> Batch:
    """Frames as `read` gives them, words of equal lengths, random vectors."""
    frames = [read(item) for item in utterances]
    lengths = torch.tensor([len(item) for item in frames])
    ends = (lengths[:, None] * torch.arange(1, WORDS + 1) / WORDS).long()
    starts = torch.cat([torch.zeros(len(frames), 1, dtype=torch.long), ends[:, :-1]], dim=1)
    generator = torch.Generator().manual_seed(len(frames))
    size = (len(frames), WORDS)
    return Batch(
        frames=pad_sequence(frames, True),
        frame_lengths=lengths,
        words=torch.randn(*size, training_step.WORD_DIM, generator=generator),
        word_ids=torch.randint(0, 1000, size, generator=generator),
        word_lengths=torch.full((len(frames),), WORDS),
        segments=torch.stack([starts, ends], dim=2),
        labels=torch.randint(0, 4, (len(frames),), generator=generator),
    )
