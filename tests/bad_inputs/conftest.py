"""Each case ends as its table says, and as docs/RELIABILITY.md says.

`make reliability` writes the document anew from what the cases did.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.resources import bad_input, fabricated
from tests.resources.bad_input import Case, Did

WRITE = "--write-reliability"
DONE = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(WRITE, action="store_true", help="write docs/RELIABILITY.md")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(WRITE, False) and config.getoption("numprocesses", None):
        raise pytest.UsageError(f"{WRITE} runs in one process, leave -n away")
    config.stash[DONE] = {}


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    done = session.config.stash.get(DONE, {})
    if done and session.config.getoption(WRITE, False):
        bad_input.write(done)


@pytest.fixture
def user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Did:
    """Somebody who runs stages and commands; workers run in this process."""
    fabricated.run_serially(monkeypatch)
    return Did(tmp_path, monkeypatch, capsys)


@pytest.fixture
def settle(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Case, str], None]:
    """Compares how a case ended with its table and with the document."""

    def compare(case: Case, found: str) -> None:
        found = bad_input.plain(found, tmp_path)
        assert bad_input.expected(case, found), f"{found!r}, expected {case.outcome!r}"
        kind = bad_input.kind_of(request.module.__name__)
        if request.config.getoption(WRITE, False):
            request.config.stash[DONE].setdefault(kind, {})[case.name] = found
        else:
            stated = bad_input.read().get(kind, {}).get(case.name)
            assert found == stated, f"docs/RELIABILITY.md says {stated!r}: make reliability"

    return compare
