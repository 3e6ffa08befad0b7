"""The systems on a device and on the CPU, for `benchmarks/gpu.py`."""

import time
from collections.abc import Callable
from typing import Any

CLASSES, VOCABULARY, WORD_DIM, BINS = 4, 1000, 300, 40
Row = dict[str, Any]


class Device:
    """Where the work is done, and the clock of it."""

    def __init__(self, name: str) -> None:
        import torch

        self.torch, self.name = torch, name
        self.is_gpu = name.startswith("cuda")

    def seconds(self, run: Callable[[], Any], budget: float) -> tuple[float, int]:
        """Wall seconds of as many calls as the budget allows, after one to warm up."""
        run()
        self.wait()
        began, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - began < budget:
            run()
            self.wait()
            calls += 1
        return time.perf_counter() - began, calls

    def busy(self, run: Callable[[], Any], calls: int = 5) -> float | None:
        """Share of the wall time in which a kernel runs; None without a GPU."""
        if not self.is_gpu:
            return None
        profiler = self.torch.profiler
        self.wait()
        with profiler.profile(activities=[profiler.ProfilerActivity.CUDA]) as seen:
            began = time.perf_counter()
            for _ in range(calls):
                run()
            self.wait()
            wall = time.perf_counter() - began
        return sum(item.self_device_time_total for item in seen.key_averages()) / 1e6 / wall

    def wait(self) -> None:
        """Until all kernels are done."""
        if self.is_gpu:
            self.torch.cuda.synchronize()


def examples(system: Any, count: int, quick: bool, seed: int = 0) -> list[Any]:
    """Utterances whose voice and words tell the class, not surely: 3 s, 8 words."""
    import torch

    from pipeline.batch import Example

    draw = torch.Generator().manual_seed(seed)
    same = torch.Generator().manual_seed(0)  # the classes are those of every seed
    dim = 1 if system.unit == "sample" else BINS
    voices = torch.randn(CLASSES, dim, generator=same)
    meanings = torch.randn(VOCABULARY, WORD_DIM, generator=same)
    length = (4000 if quick else 48000) if system.unit == "sample" else (60 if quick else 300)
    made = []
    for number in range(count):
        label = number % CLASSES
        frames = int(length * (0.7 + 0.6 * float(torch.rand((), generator=draw))))
        words = int(torch.randint(4, 12, (), generator=draw))
        voice = 0.15 * voices[label] + torch.randn(frames, dim, generator=draw)
        shift = torch.rand(words, generator=draw) < 0.3
        kinds = torch.where(shift, label, torch.randint(0, CLASSES, (words,), generator=draw))
        ids = 1 + kinds + CLASSES * torch.randint(0, 200, (words,), generator=draw)
        ends = torch.linspace(0, frames, words + 1).long()
        needs = system.needs
        made.append(
            Example(
                f"u{number}",
                frames=voice if "audio" in needs else None,
                words=meanings[ids] if "text" in needs else None,
                word_ids=ids if "text" in needs else None,
                segments=torch.stack([ends[:-1], ends[1:]], 1) if "alignment" in needs else None,
                label=label,
            )
        )
    return made


def build(name: str, system: Any) -> Any:
    """The network of a system with the same weights every time."""
    import torch

    from pipeline.batch import Sizes

    torch.manual_seed(0)
    needs = system.needs
    width = 1 if system.unit == "sample" else BINS
    text = (WORD_DIM, VOCABULARY) if "text" in needs else (0, 0)
    return system(Sizes(width if "audio" in needs else 0, *text, CLASSES))


def measure_system(name: str, system: Any, device: Device, budget: float, quick: bool) -> Row:
    """Utterances a second in training and inference, and logits beside the CPU's."""
    import torch

    from pipeline.batch import collate
    from pipeline.training.loop import loss_of, make_optimizer

    size = 4 if quick else system.recipe.batch_size
    here = collate(examples(system, size, quick))
    batch, network = here.to(device.name), build(name, system).to(device.name)
    optimizer = make_optimizer(network, system.recipe)
    with torch.inference_mode():
        expected = build(name, system).eval()(here).float()
        found = network.eval()(batch).float().cpu()
        difference = float((found - expected).abs().max() / expected.abs().max())

    def infer() -> None:
        with torch.inference_mode():
            network(batch)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss_of(network, batch, network(batch), system.recipe.l2).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    row: Row = {"system": name, "batch_size": size, "difference": difference}
    seconds, calls = device.seconds(infer, budget / 3)
    row["infer_per_second"] = size * calls / seconds
    if not hasattr(network, "solve"):  # one that has takes no steps
        network.train()
        seconds, calls = device.seconds(train, budget / 3)
        row["train_per_second"] = size * calls / seconds
        row["gpu_busy_share"] = device.busy(train)
    return row


def accuracy(name: str, system: Any, device: str, quick: bool) -> tuple[Any, Any]:
    """Truth and guesses on test utterances after some epochs of training."""
    import numpy as np
    import torch

    from pipeline.batch import collate
    from pipeline.training.loop import loss_of, make_optimizer, probabilities_of

    train = examples(system, 32 if quick else 256, quick, seed=1)
    test = examples(system, 32 if quick else 400, quick, seed=2)
    network = build(name, system).to(device)
    optimizer = make_optimizer(network, system.recipe)
    shuffle = torch.Generator().manual_seed(0)
    for _ in range(1 if quick else 4):
        network.train()
        for part in torch.randperm(len(train), generator=shuffle).split(32):
            batch = collate([train[int(item)] for item in part]).to(device)
            optimizer.zero_grad(set_to_none=True)
            loss_of(network, batch, network(batch), 0.0).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    guesses = probabilities_of(network, test, torch.device(device)).argmax(axis=1)
    return np.array([item.label for item in test]), guesses


def compare_accuracy(name: str, system: Any, device: Device, quick: bool) -> Row:
    """WA and UA on the device, and the 95 % interval of those on the CPU."""
    import numpy as np

    from pipeline.evaluation import bootstrap

    truth, here = accuracy(name, system, "cpu", quick)
    _, there = accuracy(name, system, device.name, quick)
    places = np.arange(len(truth))
    counted = bootstrap.tallies(places, [places], [truth], [here], CLASSES)
    bounds = bootstrap.intervals(counted, 2000, 0)
    row: Row = {"system": name}
    for measure, of in (("wa", _wa), ("ua", _ua)):
        low, high = (float(bounds[f"{measure}_ci95"][end]) for end in ("low", "high"))
        value = of(truth, there)
        row |= {
            measure: value,
            f"cpu_{measure}": of(truth, here),
            f"cpu_{measure}_ci95": [low, high],
        }
        row[f"{measure}_within"] = low <= value <= high
    return row


def _wa(truth: Any, guesses: Any) -> float:
    return float((truth == guesses).mean())


def _ua(truth: Any, guesses: Any) -> float:
    return sum(_wa(truth[truth == one], guesses[truth == one]) for one in range(CLASSES)) / CLASSES
