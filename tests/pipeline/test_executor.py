from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest

from pipeline import executor
from pipeline.lookup import ConfigurationError


def test_results_come_in_the_order_of_the_items(capsys: pytest.CaptureFixture[str]) -> None:
    # The first item is the slowest: its result must still come first.
    assert list(executor.run(time.sleep, [0.3, 0.0, 0.0], "sleep", workers=2)) == [None, None, None]
    assert "sleep" in capsys.readouterr().err


def test_work_is_done_in_single_threaded_processes_and_failures_reach_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERFLOW_WORKERS", "1")
    results = executor.run(
        eval,
        ["__import__('os').getpid()", "__import__('os').environ['OMP_NUM_THREADS']", "1 / 0"],
        "",
    )
    assert next(results) != os.getpid()
    assert next(results) == "1"
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_after_a_failure_nothing_new_begins(tmp_path: Path) -> None:
    calls = [
        f"(__import__('time').sleep(0.1), open({str(tmp_path / name)!r}, 'w'))" for name in "abc"
    ]
    with pytest.raises(ZeroDivisionError):
        list(executor.run(eval, ["1 / 0", *calls], "", workers=1))
    # The process may have taken the next ones before the failure was seen, never the
    # last.
    assert not (tmp_path / "c").exists()


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(executor.run(math.sqrt, [], "nothing")) == []


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", ""])
def test_a_number_of_workers_that_is_none(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SERFLOW_WORKERS", given)
    with pytest.raises(
        ConfigurationError, match=f"SERFLOW_WORKERS='{given}', expected a whole number above zero"
    ):
        executor.worker_count()


def test_workers_are_as_many_as_told_or_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERFLOW_WORKERS", "3")
    assert executor.worker_count() == 3
    monkeypatch.delenv("SERFLOW_WORKERS")
    assert 1 <= executor.worker_count() <= (os.cpu_count() or 1)
