import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.training import fold, loop, saved
from pipeline.training.inputs import Folders
from pipeline.training.saved import State
from tests.resources import fabricated

OUTPUTS = {"checkpoint.json", "checkpoint.safetensors", "history.csv", "probabilities.parquet"}


class Killed(BaseException):
    """What no handler of the code under test may swallow."""


def kill_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Ends training in the middle of an epoch: after that many batches."""
    counted = {"steps": 0}
    whole = loop.loss_of

    def loss_of(*arguments: Any) -> torch.Tensor:
        counted["steps"] += 1
        if counted["steps"] > steps:
            raise Killed
        return whole(*arguments)

    monkeypatch.setattr(loop, "loss_of", loss_of)


@pytest.mark.parametrize("network", sorted(fabricated.SMALL))
def test_a_killed_fold_ends_as_an_undisturbed_one(
    tmp_path: Path, inputs: dict[str, Folders], network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rate falls between the epochs before and after the kill, and the paper's own
    # optimiser has its state.
    changes = {"training": {"learning_rate_step": 2, "learning_rate_factor": 0.5}}
    undisturbed = fabricated.train(tmp_path / "whole", inputs[network], network, **changes)
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    with monkeypatch.context() as disturbed:
        kill_after(disturbed, steps=5)
        with pytest.raises(Killed):
            fabricated.train(tmp_path / "killed", inputs[network], network, **changes)
    assert not (tmp_path / "killed" / "out").exists()
    epochs = []
    validate = loop._validate
    monkeypatch.setattr(loop, "_validate", lambda *given: epochs.append(1) or validate(*given))
    resumed = fabricated.train(tmp_path / "killed", inputs[network], network, **changes)
    assert resumed == undisturbed
    assert len(epochs) == 2, (
        "the two epochs before the kill were saved, expected only the others to be repeated"
    )


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from pipeline.training import fold, loop, saved
from pipeline.training.inputs import Folders
from tests.resources import fabricated
loop.SAVE_SECONDS = -1.0
save, times = saved.save, []
def dying(*given):
    save(*given)
    times.append(1)
    if len(times) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
saved.save = dying
folder, data = Path(sys.argv[1]), Path(sys.argv[2])
chosen = fabricated.experiment()
fold.train_fold(fabricated.task(folder, chosen, Folders.of(chosen, data)))
"""


def test_a_process_killed_by_the_system_goes_on(tmp_path: Path, inputs: dict[str, Folders]) -> None:
    data = inputs["FG_CME"].acoustic.parents[2]
    script = CHILD.format(root=str(Path(__file__).parents[3]))
    ended = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "killed", data], capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["scratch"]
    assert fabricated.train(tmp_path / "killed", inputs["FG_CME"]) == fabricated.train(
        tmp_path / "whole", inputs["FG_CME"]
    )


def test_finished_folds_are_restored_without_training(
    tmp_path: Path, inputs: dict[str, Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    outcome = fold.train_fold(task)
    before = fabricated.files(task.out)
    (task.out / "checkpoint.safetensors").unlink()
    (task.out / "stale").write_text("of another experiment")
    monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("trained again"))
    assert fold.train_fold(task) == outcome
    assert fabricated.files(task.out) == before


@pytest.mark.parametrize(
    "damage",
    ["outcome.json cut", "outcome.json changed", "fold/history.csv changed", "fold/ emptied"],
)
def test_a_damaged_outcome_is_trained_again(
    tmp_path: Path,
    inputs: dict[str, Folders],
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = fabricated.task(tmp_path, fabricated.experiment(), inputs["FG_CME"])
    outcome = fold.train_fold(task)
    before = fabricated.files(task.out)
    name, _, what = damage.partition(" ")
    path = task.scratch / name
    if what == "emptied":
        shutil.rmtree(path)
        path.mkdir()
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        content = path.read_text()
        path.write_text(content.replace("0.", "1.", 1))
        assert path.read_text() != content
    again = fold.train_fold(task)
    assert fabricated.files(task.out) == before
    assert again.history == outcome.history
    (line,) = caplog.messages
    assert line.startswith(f"{task.scratch / saved.OUTCOME} is damaged (")
    assert name not in ("fold/", "fold/history.csv") or "fold/history.csv" in line
    caplog.clear()
    assert fold.train_fold(task) == again and not caplog.messages


@pytest.mark.parametrize("damage", ["flipped", "cut", "foreign"])
def test_a_damaged_state_is_trained_again(
    tmp_path: Path,
    inputs: dict[str, Folders],
    damage: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = fabricated.train(tmp_path / "whole", inputs["FG_CME"])
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    with monkeypatch.context() as disturbed:
        kill_after(disturbed, steps=5)
        with pytest.raises(Killed):
            fabricated.train(tmp_path / "killed", inputs["FG_CME"])
    path = tmp_path / "killed" / "scratch" / saved.STATE
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    given = {"flipped": content, "cut": content[:-50], "foreign": b"not safetensors"}[damage]
    path.write_bytes(given)
    assert fabricated.train(tmp_path / "killed", inputs["FG_CME"]) == undisturbed
    (line,) = caplog.messages
    assert line.startswith(f"{path} is damaged (") and line.endswith("): trained again")


def test_a_state_half_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = State([{"epoch": 1, "valid_loss": 0.1 + 0.2}], [np.ones((1, 2))], {}, 1, 0.5)
    saved.save(tmp_path, network, optimizer, state)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    moments = {number: dict(slots) for number, slots in optimizer.state_dict()["state"].items()}

    def dies(_: object, target: Path, **__: object) -> None:
        target.write_bytes(b"half")
        raise Killed

    with monkeypatch.context() as disturbed:
        disturbed.setattr(saved, "save_file", dies)
        with pytest.raises(Killed):
            saved.save(tmp_path, network, optimizer, state)
    assert [path.name for path in tmp_path.iterdir()] == [saved.STATE]
    other = torch.nn.Linear(2, 2)
    slots = torch.optim.Adam(other.parameters())
    found = saved.resume(tmp_path, other, slots)
    assert found is not None and (found.history, found.best_epoch) == (state.history, 1)
    for name, value in other.state_dict().items():
        assert torch.equal(value, weights[name])
    for number, values in slots.state_dict()["state"].items():
        assert all(torch.equal(values[name], moments[number][name]) for name in values)
