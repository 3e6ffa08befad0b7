"""How the steps of a training are computed: their batches, precision, compilation."""

import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from pipeline.batch import Batch, Example, collate
from pipeline.lookup import ConfigurationError
from pipeline.training.experiment import Training

PREFETCHED = 2  # batches that wait in pinned memory for the GPU


def computed(
    network: nn.Module, training: Training, device: torch.device
) -> Callable[[Batch], Tensor]:
    """The network as its training steps call it: in the precision that the training
    states, compiled where it asks for that. Weights are shared with `network`.

    Raises ConfigurationError where there is no C++ compiler to compile with.
    """
    forward: Callable[[Batch], Tensor] = network
    if training.compile:
        if shutil.which("c++") is None and shutil.which("g++") is None:
            raise ConfigurationError(
                "training.compile: true needs a C++ compiler (g++): install one or leave it out"
            )
        # Folds are trained side by side already.
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
        # Batches differ in length: one program for all lengths, not one for each.
        forward = torch.compile(network, dynamic=True)
    if training.precision == "float32":
        return forward

    def autocast(batch: Batch) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            logits = forward(batch)
        return logits.float()

    return autocast


def batches(
    examples: Sequence[Example], training: Training, device: torch.device
) -> Iterator[Batch]:
    """The batches of an epoch in a new order, on the device.

    Batches for a GPU are put together in a thread while it computes, in memory from
    which it fetches them itself.
    """
    pieces = _pieces(examples, training)
    made = (collate([examples[item] for item in piece]) for piece in pieces)
    if device.type != "cuda":
        return (batch.to(device) for batch in made)
    pinned = prefetched((batch.pinned() for batch in made), PREFETCHED)
    return (batch.to(device) for batch in pinned)


def length(example: Example) -> int:
    """The steps of an example's first input."""
    first = example.frames if example.frames is not None else example.word_ids
    return 0 if first is None else len(first)


def prefetched(batches: Iterable[Batch], most: int) -> Iterator[Batch]:
    """The same batches, up to `most` of them made ahead by a thread, which ends with
    the iterator; an error in it is raised where its batch is due.
    """
    waiting: queue.Queue[Batch | BaseException | None] = queue.Queue(most)
    ended = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not ended.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            for batch in batches:
                put(batch)
                if ended.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()
        thread.join()


def _pieces(examples: Sequence[Example], training: Training) -> list[list[int]]:
    order, size = torch.randperm(len(examples)).tolist(), training.batch_size
    if training.bucket_batches > 1:
        together = size * training.bucket_batches
        drawn = [order[first : first + together] for first in range(0, len(order), together)]
        order = [
            item
            for bucket in drawn
            for item in sorted(bucket, key=lambda item: (length(examples[item]), item))
        ]
    pieces = [order[first : first + size] for first in range(0, len(order), size)]
    # Batch norm cannot work on a single utterance: a last batch of one joins its
    # neighbour.
    if len(pieces) > 1 and len(pieces[-1]) == 1:
        pieces[-2:] = [pieces[-2] + pieces[-1]]
    if training.bucket_batches > 1:
        # Long ones shall not always come last.
        pieces = [pieces[item] for item in torch.randperm(len(pieces)).tolist()]
    return pieces
