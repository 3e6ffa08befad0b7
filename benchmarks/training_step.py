"""FG_CME's training step on a CPU against the plain form of its layers.

One core, both in one process and in turns, the same weights and data; loss and
gradients are compared in the same run. The plain step uses torch's own Conv1d over the
padded batch and masks all frames once for each word. Peak memory is taken in one child
process each.

    python benchmarks/training_step.py
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import Batch, Sizes
from pipeline.blocks.segments import plain_segment_mean_max, segment_mean_max
from pipeline.networks.fg_cme import FG_CME

BATCH, FRAMES, WORDS, BINS, WORD_DIM, CHANNELS = 32, 750, 25, 40, 300, 128
REPETITIONS = 11
TOLERANCE = 1e-5

# "back to back": every frame belongs to a word. "with pauses": 1 s of silence before
# the first and after the last word, as a recorded utterance has, and short pauses
# between words.
CASES = {"back to back": (0, 0.0), "with pauses": (100, 0.15)}


def make_segments(case: str) -> Tensor:
    """Word bounds Tensor[B, W, 2] in frames; words of 0.5 to 1.5 mean lengths."""
    margin, pause = CASES[case]
    generator = torch.Generator().manual_seed(1)
    shares = 0.5 + torch.rand(BATCH, WORDS, generator=generator)
    ends = (
        shares.cumsum(1) / shares.sum(1, keepdim=True) * (FRAMES - 2 * margin)
    ).round().long() + margin
    starts = torch.cat([torch.full((BATCH, 1), margin), ends[:, :-1]], dim=1)
    return torch.stack([starts, ends - ((ends - starts) * pause).long()], dim=2)


def make_batch(case: str) -> Batch:
    """A full batch: 750 frames of 40 log filterbanks, 25 words of 300 dimensions."""
    generator = torch.Generator().manual_seed(0)
    return Batch(
        frames=torch.randn(BATCH, FRAMES, BINS, generator=generator),
        frame_lengths=torch.full((BATCH,), FRAMES),
        words=torch.randn(BATCH, WORDS, WORD_DIM, generator=generator),
        word_ids=torch.randint(0, 1000, (BATCH, WORDS), generator=generator),
        word_lengths=torch.full((BATCH,), WORDS),
        segments=make_segments(case),
        labels=torch.randint(0, 4, (BATCH,), generator=generator),
    )


def plain_logits(network: Any, batch: Batch) -> Tensor:
    """The network, its convolutions and its pooling in their plain form."""
    assert batch.frames is not None and batch.segments is not None
    frames = network.acoustic.plain(batch.frames, batch.frame_lengths)
    pooled = plain_segment_mean_max(frames, batch.segments)
    logits: Tensor = network.classifier(network.fuse(pooled, batch))
    return logits


def our_logits(network: nn.Module, batch: Batch) -> Tensor:
    """The network as it is trained."""
    logits: Tensor = network(batch)
    return logits


FORMS: dict[str, Callable[[Any, Batch], Tensor]] = {
    "ours": our_logits,
    "plain": plain_logits,
}


def make_network() -> tuple[nn.Module, torch.optim.Optimizer]:
    """FG_CME with its published sizes and optimiser."""
    torch.manual_seed(0)
    network: nn.Module = FG_CME(Sizes(BINS, WORD_DIM, 1000, 4))
    return network, torch.optim.Adam(network.parameters(), 5e-4)


def train_step(
    form: str, network: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch
) -> None:
    """Forward, backward, update."""
    assert batch.labels is not None
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(FORMS[form](network, batch), batch.labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def gradients(form: str, batch: Batch, dtype: torch.dtype) -> dict[str, Tensor]:
    """Loss and gradients of all parameters at the initial weights."""
    network, _ = make_network()
    network.to(dtype)
    assert batch.frames is not None and batch.words is not None
    batch = replace(batch, frames=batch.frames.to(dtype), words=batch.words.to(dtype))
    loss = F.cross_entropy(FORMS[form](network, batch), batch.labels)
    loss.backward()  # type: ignore[no-untyped-call]
    found = {
        name: value.grad for name, value in network.named_parameters() if value.grad is not None
    }
    return {"loss": loss.detach(), **found}


def check_equal(batch: Batch) -> dict[str, float]:
    """Largest differences of loss and gradients; raises above 1e-5.

    In float32 absolute: there, the order of additions alone moves an activation over a
    kink now and then. In float64, on four utterances, relative to each parameter's
    largest gradient.
    """
    few = Batch(**{item.name: getattr(batch, item.name)[:4] for item in fields(Batch)})
    largest = {"float32_absolute": 0.0, "float64_relative": 0.0}
    for key, data, dtype in (
        ("float32_absolute", batch, torch.float32),
        ("float64_relative", few, torch.float64),
    ):
        ours, expected = (gradients(form, data, dtype) for form in FORMS)
        if ours.keys() != expected.keys():
            raise AssertionError(
                f"gradients of {sorted(ours)} and {sorted(expected)}, expected the same parameters"
            )
        for name, value in expected.items():
            scale = 1.0 if key == "float32_absolute" else float(value.abs().max())
            largest[key] = max(largest[key], float((ours[name] - value).abs().max()) / scale)
        if largest[key] > TOLERANCE:
            raise AssertionError(
                f"{key} difference {largest[key]:.1e}, expected at most {TOLERANCE:.0e}"
            )
    return largest


def compare(ours: Callable[[], Any], plain: Callable[[], Any]) -> dict[str, float]:
    """Median seconds of both, run in turns; CPU seconds, so that other work on the
    machine counts less.
    """
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    wall: dict[str, list[float]] = {"ours": [], "plain": []}
    for repetition in range(REPETITIONS + 1):
        for name, function in (("ours", ours), ("plain", plain)):
            began, began_wall = time.process_time(), time.perf_counter()
            function()
            if repetition:  # the first run allocates
                times[name].append(time.process_time() - began)
                wall[name].append(time.perf_counter() - began_wall)
    ratios = [plain / own for own, plain in zip(times["ours"], times["plain"], strict=True)]
    return {
        "ours_cpu_s": statistics.median(times["ours"]),
        "plain_cpu_s": statistics.median(times["plain"]),
        "ours_wall_s": statistics.median(wall["ours"]),
        "plain_wall_s": statistics.median(wall["plain"]),
        "ratio": statistics.median(times["plain"]) / statistics.median(times["ours"]),
        "ratio_wall": statistics.median(wall["plain"]) / statistics.median(wall["ours"]),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
    }


def compare_steps(case: str) -> dict[str, Any]:
    """The whole step of both forms."""
    batch = make_batch(case)
    differences = check_equal(batch)
    runs = {}
    for form in FORMS:
        network, optimizer = make_network()
        runs[form] = (form, network, optimizer, batch)
    times = compare(lambda: train_step(*runs["ours"]), lambda: train_step(*runs["plain"]))
    return {"what": "whole step", "case": case, **times, "largest_difference": differences}


def compare_pooling(case: str) -> dict[str, Any]:
    """The pooling alone, forward and backward."""
    segments = make_segments(case)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(BATCH, FRAMES, CHANNELS, generator=generator).relu().requires_grad_()
    slope = torch.randn(BATCH, WORDS, 2 * CHANNELS, generator=generator)

    def run(pool: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return torch.autograd.grad(pool(x, segments), x, slope)[0]

    # Where a maximum is zero, several silent frames share it and either may take the
    # gradient: compare distinct values.
    distinct = torch.randn(BATCH, FRAMES, CHANNELS, generator=generator).requires_grad_()
    ours, plain = (
        torch.autograd.grad(pool(distinct, segments), distinct, slope)[0]
        for pool in (segment_mean_max, plain_segment_mean_max)
    )
    difference = float((ours - plain).abs().max() / plain.abs().max())
    if difference > TOLERANCE:
        raise AssertionError(
            f"gradients differ by {difference:.1e}, expected at most {TOLERANCE:.0e}"
        )
    times = compare(lambda: run(segment_mean_max), lambda: run(plain_segment_mean_max))
    return {"what": "pooling", "case": case, **times, "largest_difference": difference}


def peak_memory(form: str, case: str) -> int:
    """Peak resident bytes of three steps above the process with data and network
    loaded; run in its own process.
    """
    torch.set_num_threads(1)
    batch = make_batch(case)
    network, optimizer = make_network()
    loaded = _resident("VmRSS")
    for _ in range(3):
        train_step(form, network, optimizer, batch)
    return _resident("VmHWM") - loaded


def _resident(key: str) -> int:
    # Not getrusage: its maximum is handed on from the parent process.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":"))


def compare_memory(case: str) -> dict[str, Any]:
    """Peak memory of both forms, each in a child process."""
    peaks = {}
    for form in FORMS:
        command = [sys.executable, str(Path(__file__).resolve()), "--memory", form, case]
        peaks[form] = int(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout
        )
    return {
        "what": "peak memory",
        "case": case,
        "ours_bytes": peaks["ours"],
        "plain_bytes": peaks["plain"],
        "ratio": peaks["plain"] / peaks["ours"],
    }


def measure() -> list[dict[str, Any]]:
    """All comparisons; ratio = plain / ours."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            run(case) for case in CASES for run in (compare_steps, compare_pooling, compare_memory)
        ]
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(peak_memory(*sys.argv[2:4]))
    else:
        print(json.dumps(measure(), indent=2))
