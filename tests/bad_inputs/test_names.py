"""Names in params.yaml: they become folders and words of the stages' commands."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline import lookup
from pipeline import params as parameters
from pipeline.commands import sync
from stages import acoustic, align, split, text
from tests.resources.bad_input import Case, Did
from tests.resources.params_document import DOCUMENT

ROOT = Path(__file__).parents[2]


def named(name: str) -> Callable[[], str]:
    return lambda: name


CASES = [
    Case("a name with a semicolon", named("fbank-a;b"), "is no name, use letters"),
    Case("a name with a command", named("fbank-$(id)"), "is no name, use letters"),
    Case("a name with a space", named("fbank-a b"), "is no name, use letters"),
    Case("a name with a line", named("fbank-a\nb"), "is no name, use letters"),
    Case("a name with a quote", named("fbank-a'b"), "is no name, use letters"),
    Case("a name with a null character", named("fbank-a\0b"), "is no name, use letters"),
    Case("a name with a template", named("fbank-${x}"), "is no name, use letters"),
    Case("a name with a slash", named("fbank/a"), "is no name, use letters"),
    Case("a name that leaves the folder", named("../fbank"), "is no name, use letters"),
    Case("two points", named(".."), "is no name, use letters"),
    Case("a name that is an option", named("-fbank"), "is no name, use letters"),
    Case("a hidden name", named(".fbank"), "is no name, use letters"),
    Case("a name in Chinese", named("fbank-语音"), "is no name, use letters"),
    Case("a name of 300 letters", named("fbank-" + "a" * 300), "is no name, use letters"),
    Case("a name with a point", named("fbank-0.5"), "is no name, use letters"),
    Case("an empty name", named(""), "is no name, use letters"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_name(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    document = {"acoustic": {case.make(): {}}}
    (user.folder / "params.yaml").write_text(yaml.safe_dump(document))
    settle(case, user.serflow("sync") or "used: as any other")


EVIL = (
    "; touch struck",
    "$(touch struck)",
    "`touch struck`",
    " && touch struck",
    "| touch struck",
    "> struck",
    " and a space",
    "/../../../struck",
    "'; touch struck; '",
    '"; touch struck; "',
    "\ntouch struck",
)


@pytest.mark.parametrize("evil", EVIL)
def test_a_name_that_the_check_let_through_stays_one_word_of_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evil: str
) -> None:
    """DVC hands the commands to a shell; here a function of this shell takes the place
    of `python` and writes down what it is given.
    """
    monkeypatch.setattr(lookup, "NAME", re.compile(".*", re.DOTALL))
    chosen = DOCUMENT["experiments"]["first"] | {"acoustic": f"fbank-{evil}"}
    document = DOCUMENT | {
        "acoustic": {f"fbank-{evil}": {}},
        "experiments": {f"first-{evil}": chosen},
        "inputs": {},
    }
    shutil.copy(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    sync.sync(tmp_path / "params.yaml", parameters.check(document))
    stages = yaml.safe_load((tmp_path / "dvc.yaml").read_text())["stages"]
    items = yaml.safe_load((tmp_path / "build.yaml").read_text())["build"]
    for stage, names in (("acoustic", ["manifest", f"fbank-{evil}"]), ("train", [f"first-{evil}"])):
        ((key, item),) = items[stage].items()
        command = stages[stage]["do"]["cmd"].replace("${key}", key)
        for name, value in item.items():
            command = command.replace(f"${{item.{name}}}", str(value))
        script = f"python() {{ printf '%s\\0' \"$@\"; }}\n{command}"
        ended = subprocess.run(
            ["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.stdout.split("\0")[:-1] == ["-m", f"stages.{stage}", *names], ended.stderr
    assert not list(tmp_path.rglob("struck")) and not list(tmp_path.parent.glob("struck"))


@pytest.mark.parametrize("name", ["../secret", "..", "/etc", "a b", "a;b", ""])
@pytest.mark.parametrize("stage", [acoustic, align, text, split], ids=lambda stage: stage.__name__)
def test_a_stage_reads_no_corpus_beside_its_folder(user: Did, stage: object, name: str) -> None:
    (user.folder / "params.yaml").write_text(yaml.safe_dump(DOCUMENT))
    chosen = {acoustic: "fbank", align: "either", text: "word2vec", split: "random-two"}[stage]  # type: ignore[index]
    options = ["--params", user.folder / "params.yaml", "--data", user.folder / "data"]
    line = user.stage(stage.main, *options, "--", name, chosen)  # type: ignore[attr-defined]
    assert line is not None and "is no name, use letters" in line
