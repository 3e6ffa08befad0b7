"""What the workers of this machine are copies of: imported once, in a process without
threads that copies itself for each of them (multiprocessing's forkserver).
"""

import atexit
import gc
import importlib
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.abc import MetaPathFinder

LOADS, PROGRAM = "SERFLOW_LOADS", "SERFLOW_PROGRAM"


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def spare_pandas() -> None:
    """Keeps Arrow in this process from pandas, which it imports for its first array, to
    ask whether that is one of its own: a sixth of a second.

    `to_pandas` of Arrow's tables is an error then; pandas itself can be imported.
    """
    if "pandas" not in sys.modules:
        import pyarrow

        finder = _WithoutPandas()
        sys.meta_path.insert(0, finder)
        try:
            pyarrow.array([0])
        finally:
            sys.meta_path.remove(finder)


def load(names: Iterable[str]) -> None:
    """Imports modules; of `module:name` it also calls `module.ready(name)`."""
    for each in names:
        module, _, name = each.partition(":")
        found = importlib.import_module(module)
        if name:
            found.ready(name)


def _leave(origin: int) -> None:
    # Nobody waits for what Python tidies up at its end.
    if os.getpid() == origin:
        os._exit(0)


if LOADS in os.environ:
    # What is imported stays: looking through it for rubbish takes a sixth of the time,
    # and would make copies of the memory that all workers share.
    gc.disable()
    spare_pandas()
    # A worker that needs what fails here meets the same error, and tells of it.
    with suppress(Exception):
        load(os.environ[LOADS].split())
        # Each copy runs the program's own module anew, and what that imports is here.
        load(os.environ[PROGRAM].split())
    sys.modules.pop(os.environ[PROGRAM], None)
    gc.freeze()
    gc.enable()
    atexit.register(_leave, os.getpid())
