"""Every command in README and docs/ runs, or is at least one that there is."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from dvc.cli.parser import get_main_parser
from typer.testing import CliRunner

from pipeline import cli
from tests.resources import recordings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What is not run here, and why; its options are looked at all the same.
NOT_RUN = {
    "fetch": "downloads",
    "table": "trains a paper's systems: tests/test_recipes.py, report/test_tables.py",
    "systems": "takes seconds: tests/pipeline/commands/test_systems.py",
    "figures": "needs the demo's systems: tests/pipeline/report/test_paper_figures.py",
    "ahead": "runs DVC: its own tests",
    "doctor": "ends with 1 where a corpus is missing: tests/pipeline/commands/test_doctor.py",
    "verify": "needs data built by DVC: tests/pipeline/commands/test_verify.py",
    "corpus": "needs a corpus: tests/pipeline/commands/test_corpus.py",
}
OTHERS = ("dask", "export", "git", "kubectl", "pip", "python", "source")


def commands(document: Path) -> Iterator[list[str]]:
    """The words of every command in a document's `sh` blocks."""
    for block in re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
            lexer.whitespace_split, words = True, []
            for word in [*lexer, ";"]:
                if set(word) <= set(";&|"):
                    # A variable before a command is for its environment.
                    while words and re.match(r"[A-Z_]+=", words[0]):
                        words = words[1:]
                    if words:
                        yield words
                    words = []
                else:
                    words.append(word)


ALL = [
    pytest.param(words, id=f"{document.name}: {' '.join(words)[:70]}")
    for document in DOCUMENTS
    for words in commands(document)
]


@pytest.mark.parametrize("words", ALL)
def test_the_command_is_one(words: list[str]) -> None:
    program, *rest = words
    if program == "serflow":
        command: Any = typer.main.get_command(cli.app)
        while hasattr(command, "commands"):
            name, *rest = rest
            assert name in command.commands
            command = command.commands[name]
        command.make_context(words[1], list(rest), resilient_parsing=True)
        stated = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert stated <= {option for item in command.params for option in item.opts}
    elif program == "dvc":
        get_main_parser().parse_args(rest)
    elif program == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
        assert set(rest) <= set(targets)
    else:
        assert program in OTHERS, words


RUN = list(
    dict.fromkeys(
        tuple(words)
        for document in DOCUMENTS
        for words in commands(document)
        if words[0] == "serflow" and words[1] not in NOT_RUN
    )
)


def test_the_commands_run_one_after_another(project: Path, tmp_path: Path) -> None:
    """In a project of a small model, in the order of the documents."""
    shutil.rmtree(project / "exported", ignore_errors=True)
    for path in ("recipes", "dvc.yaml", "pipeline", "stages"):
        (project / path).symlink_to(ROOT / path)
    (project / "corpora" / "mine").mkdir(parents=True)
    lines = ["file,label"]
    for speaker in "abcd":
        for number in range(6):
            emotion = ("angry", "sad")[number % 2]
            path = project / "corpora" / "mine" / speaker / emotion / f"{speaker}{number}.wav"
            recordings.write(path, seed=number)
            lines.append(f"{path.name},{emotion}")
    (project / "labels.csv").write_text("\n".join(lines) + "\n")
    failed = []
    for words in RUN:
        arguments = [
            str(project) + word if word.startswith("/corpora/") else word for word in words
        ]
        if words[1] == "new":
            shutil.rmtree(project / "data" / "raw" / "mine", ignore_errors=True)
            arguments = [*arguments, "--no-build"]
            arguments[2] = f"mine{len(failed)}_{RUN.index(words)}"
        if words[1] == "explain":
            arguments = ["u00" if word == "Ses01_impro01_F000" else word for word in arguments]
        done = CliRunner().invoke(cli.app, arguments[1:])
        if done.exit_code:
            failed.append((" ".join(arguments), done.output[-300:], repr(done.exception)))
    assert not failed
    assert (project / "exported" / "README.md").is_file()
