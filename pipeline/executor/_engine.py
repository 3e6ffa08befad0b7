"""What an engine gives to those who have work."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

KEPT = "what was finished is kept, the same command goes on from there"


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Engine:
    """An open engine.

    count: how many calls it works on at once, now. broken: what its calls raise where
    not they failed but the engine, and what is said then. lost: whether no call that
    waits will ever have a result.
    """

    executor: Executor
    count: Callable[[], int]
    broken: Mapping[type[Exception], str] = field(default_factory=dict)
    lost: Callable[[], bool] = _never
