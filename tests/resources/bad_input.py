"""A table of bad inputs, how each of them ended, and the document that says so.

A case is done as a user does it: a stage's command or `serflow`. It ends in one of
three ways: "used: " with what became of it, "reject: " with the reason in
rejects.parquet, or the one line of the error.
"""

import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline import folders, tables
from pipeline.cli import app
from stages import entry, prepare

DOCUMENT = Path(__file__).parents[2] / "docs" / "RELIABILITY.md"
FIRST, LAST = "<!-- bad inputs, by make reliability -->", "<!-- end of bad inputs -->"
SECONDS = 20  # in which every case has to end
LONGEST = 200  # characters of an outcome in the document


@dataclass(frozen=True)
class Case:
    """A bad input: what is wrong, how to make it, how it has to end.

    make: gets what the table's test gives. outcome: "used", "reject: <reason>", or a
    part of the one line.
    """

    name: str
    make: Callable[..., Any]
    outcome: str

    def __str__(self) -> str:
        return self.name


def case(name: str, outcome: str) -> Callable[[Callable[..., Any]], Case]:
    """Makes the case of a function that takes more than a line."""
    return lambda make: Case(name, make, outcome)


@dataclass(frozen=True)
class Did:
    """A user in a folder; what they did returns the one line of its error, or None."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def stage(self, main: Callable[..., None], *arguments: object) -> str | None:
        """Runs a stage's command as `python -m stages.x` does."""
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["stage", *map(str, arguments)])
        with _in_time(), pytest.raises(SystemExit) as ended:
            entry.run(main)
        return self._line(ended.value.code, self.capsys.readouterr().err)

    def serflow(self, *arguments: object) -> str | None:
        """Runs `serflow` with the arguments."""
        self.monkeypatch.chdir(self.folder)
        with _in_time():
            ended = CliRunner().invoke(app, [str(item) for item in arguments])
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return self._line(ended.exit_code, ended.stderr)

    def prepares(self, corpus: Mapping[str, Any], used: Callable[[Path], str]) -> str:
        """How the stage prepare ends for the utterance "bad" of a manifest: `outcome`,
        where `used` gets the folder that the stage wrote.
        """
        params, data = self.folder / "params.yaml", self.folder / "data"
        params.write_text(yaml.safe_dump({"corpora": {"manifest": dict(corpus)}}))
        line = self.stage(prepare.main, "manifest", "--params", params, "--data", data)
        place = folders.utterances(data, "manifest")
        return outcome(line, place, "bad", lambda: used(place))

    def _line(self, code: Any, said: str) -> str | None:
        if code in (0, None):
            return None
        assert code == 2, f"exit code {code}: {said}"
        lines = said.splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), said
        return lines[0].removeprefix("error: ")


@contextmanager
def _in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"no end after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(line: str | None, place: Path, utterance_id: str, used: Callable[[], str]) -> str:
    """How a stage that wrote `place` ended for an utterance; `used` says what became of
    one that is not among the rejects.
    """
    if line is not None:
        return line
    for item in tables.read_rejections(place / folders.REJECTS):
        if item.utterance_id == utterance_id:
            return f"reject: {item.reason}"
    return f"used: {used()}"


def plain(text: str, folder: Path) -> str:
    """An outcome as the document says it, without the folder of this test run."""
    text = (
        text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "").replace(str(folder), ".")
    )
    text = re.sub(r"[^\x20-\x7e\u00a0-\uffff]", "\ufffd", text)
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"


def expected(case: Case, found: str) -> bool:
    """Whether a case ended as its table says."""
    ways = ("used", "reject: ")
    if case.outcome.startswith(ways) or found.startswith(ways):
        return found == case.outcome or found.startswith(f"{case.outcome}: ")
    return case.outcome in found


def kind_of(module: str) -> str:
    """The heading of a module's cases: `test_fold_lists` has the fold lists."""
    return module.rpartition(".")[2].removeprefix("test_").replace("_", " ").capitalize()


def read() -> dict[str, dict[str, str]]:
    """The document's cases and their outcomes, by kind."""
    found: dict[str, dict[str, str]] = {}
    for line in _section()[1].splitlines():
        if line.startswith("### "):
            rows = found.setdefault(line.removeprefix("### "), {})
        elif match := re.fullmatch(r"\| (.*?) \| `` (.*) `` \|", line):
            rows[match[1].replace("\\|", "|")] = match[2].replace("\\|", "|")
    return found


def write(new: Mapping[str, Mapping[str, str]]) -> None:
    """Puts the cases of the kinds in `new` into the document."""
    before, _, after = _section()
    lines: list[str] = [""]
    for kind, rows in sorted((read() | dict(new)).items()):
        lines += [f"### {kind}", "", "| case | outcome |", "|---|---|"]
        lines += [f"| {_cell(name)} | `` {_cell(found)} `` |" for name, found in rows.items()]
        lines.append("")
    tables.write_text(DOCUMENT, before + FIRST + "\n" + "\n".join(lines) + LAST + after)


def _section() -> Sequence[str]:
    before, found, rest = DOCUMENT.read_text(encoding="utf-8").partition(FIRST)
    inside, ended, after = rest.partition(LAST)
    if not (found and ended):
        raise ValueError(f"{DOCUMENT} lacks the lines {FIRST} and {LAST}")
    return before, inside, after


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
