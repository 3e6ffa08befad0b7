"""The systems: of which paper, what each reads and in which form, how large it is, how
long it trains.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import lookup, params
from pipeline.commands import recipes
from pipeline.lookup import ConfigurationError

# What training is timed on: utterances of so many seconds, with so many words.
UTTERANCES, SECONDS, WORDS = 1000, 4.0, 12


@dataclass(frozen=True)
class Description:
    """One system; `acoustic` and `text` are those of its paper's recipe, `weights` are
    counted on vectors of their widths, for four classes or as many as the recipe has.

    seconds: of an epoch of 1000 utterances of 4 s on one core here, None where it was
    not measured.
    """

    system: str
    paper: str
    reads: tuple[str, ...]
    acoustic: str | None
    text: str | None
    weights: int | None
    seconds: float | None = None


def describe(
    papers: Sequence[str] = (), timed: bool = False, folder: Path = recipes.FOLDER
) -> Iterator[Description]:
    """The systems of `papers`, all where none is named, in their papers' order.

    Raises ConfigurationError for an unknown paper.
    """
    known = lookup.names("networks")
    for paper in papers:
        if paper not in known:
            raise ConfigurationError(f"unknown paper {paper!r}, expected one of {known}")
    for paper in papers or known:
        systems = recipes.systems_of_paper(paper)
        chosen = _experiments(paper, systems, folder)
        for name in systems:
            needs = lookup.system(name).needs
            reads = tuple(item for item in ("audio", "text", "alignment") if item in needs)
            if name not in chosen:
                yield Description(name, paper, reads, None, None, None)
                continue
            experiment, checked = chosen[name]
            yield _description(name, paper, reads, experiment, checked, timed)


def show(found: Sequence[Description], as_json: bool) -> None:
    """Prints the systems as a table, or as JSON."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    if as_json:
        print(json.dumps([asdict(item) for item in found], indent=1))
        return
    columns = ["system", "paper", "reads", "acoustic", "text", "weights"]
    timed = any(item.seconds is not None for item in found)
    table = Table(*columns, *(["s / epoch"] if timed else []), box=SIMPLE, pad_edge=False)
    table.columns[0].no_wrap = True
    for item in found:
        weights = "–" if item.weights is None else f"{item.weights:,}"
        cells = [item.system, item.paper, ", ".join(item.reads)]
        cells += [item.acoustic or "–", item.text or "–", weights]
        if timed:
            cells.append("–" if item.seconds is None else f"{item.seconds:.1f}")
        table.add_row(*cells)
    Console().print(table)
    if timed:
        print(f"s / epoch: {UTTERANCES} utterances of {SECONDS:g} s, one core of this machine")


def _experiments(
    paper: str, systems: Sequence[str], folder: Path
) -> dict[str, tuple[Any, params.Params]]:
    """Each system's experiment in the recipe of its paper's own corpus."""
    name = recipes.of_own_corpus(paper, folder)
    if name is None:
        return {}
    varied = recipes.table_of(recipes.read(name, folder), systems, None)
    checked = params.check({key: value for key, value in varied.items() if key != "systems"})
    return {item.network: (item, checked) for item in checked.experiments.values()}


def _description(
    name: str,
    paper: str,
    reads: tuple[str, ...],
    experiment: Any,
    checked: params.Params,
    timed: bool,
) -> Description:
    from pipeline.training import suitability

    sizes = suitability.likely_sizes(experiment, checked)
    return Description(
        name,
        paper,
        reads,
        experiment.acoustic,
        experiment.text,
        suitability.count_weights(experiment, sizes),
        _epoch_seconds(experiment, checked, sizes) if timed else None,
    )


def _epoch_seconds(experiment: Any, checked: params.Params, sizes: Any) -> float:
    """Seconds of an epoch, from a training step on noise of the recipe's shape."""
    import torch

    from pipeline.batch import Example, collate
    from pipeline.training import loop

    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    needs, recipe = experiment.system.needs, experiment.recipe
    num_frames = 0
    if experiment.acoustic is not None:
        config = checked.acoustic[experiment.acoustic]
        timing = lookup.component("acoustic", experiment.acoustic).timing(config)
        num_frames = min(round(SECONDS / timing.frame_shift), config.max_frames or 10**9)
    bounds = torch.linspace(0, num_frames, WORDS + 1).long()
    examples = [
        Example(
            str(number),
            torch.randn(num_frames, sizes.feature_dim) if num_frames else None,
            torch.randn(WORDS, sizes.word_dim) if "text" in needs else None,
            torch.randint(1, sizes.vocabulary_size, (WORDS,)) if "text" in needs else None,
            torch.stack([bounds[:-1], bounds[1:]], dim=1) if "alignment" in needs else None,
            number % sizes.num_classes,
        )
        for number in range(recipe.batch_size)
    ]
    network = experiment.system(sizes, **experiment.hyperparameters).train()
    optimizer = loop.make_optimizer(network, recipe)
    taken = []
    for _ in range(2):  # the first step also allocates
        began = time.perf_counter()
        batch = collate(examples)
        optimizer.zero_grad(set_to_none=True)
        loop.loss_of(network, batch, network(batch), recipe.l2).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        taken.append(time.perf_counter() - began)
    torch.set_num_threads(threads)
    return float(min(taken) * UTTERANCES / recipe.batch_size)
