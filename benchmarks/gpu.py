"""Every system and encoder on a GPU, in one go, also on a machine without network.

    python benchmarks/gpu.py --carry WHEELS          # where there is a network
    python benchmarks/gpu.py --wheels WHEELS --out gpu.json     # on the machine

The machine brings Python and torch; `--carry` fetches the wheels of all else that
SERflow needs. Every system trains and infers on random batches of real sizes, every
encoder reads made-up utterances (random weights where none can be carried); each is
compared with the CPU: hidden states and logits within 1e-3 of their largest, WA and UA
after some epochs within the 95 % interval of the CPU's. `gpu_busy_share` is the time
of kernels over wall time. What was not measured is listed, with the reason; the exit
code is 1 where a comparison fails. `--device cpu` shows that everything runs.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("pydantic", "h5py", "pyarrow", "soundfile", "transformers", "safetensors", "sklearn")
TOLERANCE = 1e-3
LEARNT = ("FG_CME", "LSTM_Attn_a", "LSTM_Attn_s")  # whose accuracy is compared
Row = dict[str, Any]


def carry(folder: Path) -> None:
    """Fetches the wheels of all dependencies but torch, for this platform."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *optional["ctc"]]
    wanted = [name for name in wanted if not name.startswith("torch")]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), *wanted], check=True)
    # Others bring torch along; the machine has its own.
    for pattern in ("torch-*", "nvidia_*", "triton-*", "cuda_*"):
        for path in folder.glob(pattern):
            path.unlink()


def install(wheels: Path) -> None:
    """Makes the carried packages importable, before the machine's own."""
    folder = tempfile.mkdtemp(prefix="serflow-gpu-")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    # Without dependencies: all of them are there, and torch is the machine's.
    wanted = map(str, sorted(wheels.glob("*.whl")))
    subprocess.run([*pip, "--target", folder, *wanted], check=True)
    sys.path.insert(0, folder)


def encoders(folder: Path, device: Any, budget: float, quick: bool) -> Iterator[Row]:
    """ssl, ctc and bert: utterances a second, and their numbers beside the CPU's."""
    import numpy as np
    import torch
    import transformers as hf

    from pipeline.acoustic import ssl
    from pipeline.alignment import ctc
    from pipeline.schema import Utterance
    from pipeline.text import bert

    small = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2} if quick else {}
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    (folder / "vocab.json").write_text(json.dumps({item: n for n, item in enumerate(tokens)}))
    hf.Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    hf.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    torch.manual_seed(0)
    config = hf.Wav2Vec2Config(vocab_size=len(tokens), pad_token_id=0, **small)
    hf.Wav2Vec2ForCTC(config).save_pretrained(folder)
    sound = np.random.default_rng(0).standard_normal(48000).astype(np.float32) * 0.1
    spoken = [
        Utterance(
            f"u{n}", "made up", "any", words=("nobody", "wanted", "the", "letter") * (1 + n % 4)
        )
        for n in range(8 if quick else 256)
    ]

    def of_ssl(name: str) -> Any:
        return ssl.extract(sound, 16000, ssl.Config(model=str(folder), device=name))  # type: ignore[arg-type]

    def of_ctc(name: str) -> Any:
        return ctc._recogniser(str(folder), None, name).log_probs(sound)

    def of_bert(name: str) -> Any:
        return np.concatenate([item for _, item in bert.embed(spoken, bert.Config(device=name))])

    for encoder, run, count in (
        ("ssl", of_ssl, 1),
        ("ctc", of_ctc, 1),
        ("bert", of_bert, len(spoken)),
    ):
        expected, found = run("cpu"), run(device.name)
        difference = float(np.abs(found - expected).max() / np.abs(expected).max())
        work = partial(run, device.name)
        seconds, calls = device.seconds(work, budget)
        row: Row = {"encoder": encoder, "difference": difference}
        yield row | {"per_second": count * calls / seconds, "gpu_busy_share": device.busy(work)}


def measure(name: str, minutes: float, quick: bool) -> Row:
    """All of it, within so many minutes; what did not fit in is listed."""
    import torch

    from benchmarks.gpu_systems import Device, compare_accuracy, measure_system
    from pipeline import lookup

    began, device, missed = time.monotonic(), Device(name), []
    if not device.is_gpu:
        missed.append("everything on a GPU, the busy share among it: this run was on the CPU")
    systems = lookup.systems()
    budget = 0.3 if quick else 60 * minutes * 0.5 / len(systems)
    kind = torch.cuda.get_device_name() if device.is_gpu else platform.processor()
    found: Row = {"device": name, "kind": kind, "torch": torch.__version__, "quick": quick}
    found |= {"encoders": [], "accuracy": [], "systems": []}

    def late(what: str) -> bool:
        if time.monotonic() - began > 60 * minutes * 0.9:
            missed.append(f"{what}: no time was left of {minutes:g} minutes")
            return True
        return False

    with tempfile.TemporaryDirectory() as folder:
        found["encoders"] = list(encoders(Path(folder), device, min(budget, 5), quick))
    for item in LEARNT:
        if not late(f"accuracy of {item}"):
            found["accuracy"].append(compare_accuracy(item, systems[item], device, quick))
    for item, system in systems.items():
        if not late(item):
            found["systems"].append(measure_system(item, system, device, budget, quick))
    apart = [
        f"{item.get('encoder', item.get('system'))} is {item['difference']:.1e} from the CPU"
        for item in [*found["encoders"], *found["systems"]]
        if not item["difference"] <= TOLERANCE
    ]
    apart += [
        f"{item['system']}: {key} {item[key]:.3f}, on the CPU {item[f'cpu_{key}_ci95']}"
        for item in found["accuracy"]
        for key in ("wa", "ua")
        if not item[f"{key}_within"]
    ]
    seconds = time.monotonic() - began
    return found | {"seconds": seconds, "failed": apart, "not_measured": missed}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--carry", type=Path, metavar="FOLDER", help="fetch wheels, then stop")
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="use carried wheels")
    parser.add_argument("--device", default="auto", help="auto (the default), cpu, cuda, cuda:1 …")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--quick", action="store_true", help="small inputs: does it run?")
    given = parser.parse_args()
    if given.carry:
        carry(given.carry)
        return
    if given.wheels:
        install(given.wheels)
    sys.path.insert(0, str(ROOT))
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        parser.error(
            f"{', '.join(lacking)} cannot be imported, expected --wheels with a --carry folder"
        )
    import torch

    device = given.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no GPU: take --device cpu, or a torch with CUDA")
    found = measure(device, given.minutes, given.quick)
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{device}: {found['seconds']:.0f} s, written {given.out}")
    for line in [*found["failed"], *(f"not measured: {item}" for item in found["not_measured"])]:
        print(line)
    sys.exit(bool(found["failed"]))


if __name__ == "__main__":
    main()
