"""How a command ends before its time: one line on standard error, an exit code.

Only the standard library is imported: signals must be looked after before the imports
that take seconds.
"""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # known where no file is named
GRACE = 1.5  # s for an orderly end, then the process leaves
KEPT = "what was finished is kept, the same command goes on from there"


class StoppedError(SystemExit):
    """A signal came; `code` is 128 + its number. `said`: its line has been printed."""

    said = False


def install() -> None:
    """Ends this process with one line when SIGINT or SIGTERM comes, and when the DVC
    that began it as a stage is gone: another `dvc repro` would write the same files.
    """
    for number in SIGNALS:
        # A process begun in the background with SIGINT ignored goes on ignoring it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_with, args=(_dvc(),), daemon=True).start()


@contextmanager
def one_line(*errors: type[Exception]) -> Iterator[None]:
    """Ends the process with one line and exit code 2 for the project's errors, `errors`
    beside them and what the system refuses; with 128 + its number for a signal.

    Between imports and exit a signal unwinds, so that temporary files and worker
    processes go.
    """
    from pipeline.lookup import ConfigurationError, StorageError, WorkerKilledError

    stops: list[StoppedError] = []

    def unwind(number: int, _: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        # Raised in a destructor the exception would be printed and forgotten.
        sys.unraisablehook = lambda _: None
        stops.append(StoppedError(128 + number))
        threading.Thread(target=_give_up, args=(stops[0],), daemon=True).start()
        raise stops[0]

    known: tuple[type[Exception], ...] = (ConfigurationError, StorageError, WorkerKilledError)
    installed = [number for number in SIGNALS if signal.getsignal(number) is _leave]
    for number in installed:
        signal.signal(number, unwind)
    try:
        yield
    except BaseException as error:
        if stops:  # or what a library made of it
            _say(int(str(stops[0].code)))
            stops[0].said = True
            raise stops[0] from None
        line = str(error) if isinstance(error, known + errors) else _refused(error)
        if line is None:
            raise
        _fail(line)
    finally:
        for number in installed:
            if signal.getsignal(number) is unwind:
                signal.signal(number, _leave)


def _refused(error: BaseException) -> str | None:
    """The file that the system did not let read or write, and why; None for other
    errors, which are faults of the code and are told by their traceback.
    """
    import shutil

    if isinstance(error, shutil.Error):
        # What a copied folder ends with: source, target and reason of every file.
        _, target, reason = error.args[0][0]
        return f"{target}: {reason}"
    if isinstance(error, OSError):
        place = error.filename or (error.errno in FULL and Path.cwd())
        return f"{os.fsdecode(place)}: {error.strerror}" if place else None
    return None


def _fail(message: str) -> NoReturn:
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, soft_wrap=True)
    console.print(f"[bold red]error:[/] {escape(message)}", highlight=False)
    raise SystemExit(2) from None


def _say(code: int) -> None:
    line = f"stopped by {signal.Signals(code - 128).name}: {KEPT}\n"
    # Neither buffers nor locks of a stream that the signal may have interrupted. On a
    # terminal a progress bar or ^C stands in the line.
    os.write(2, ("\n" * sys.stderr.isatty() + line).encode())


def _leave(number: int, _: FrameType | None) -> None:
    _say(128 + number)
    os._exit(128 + number)


def _give_up(stopped: StoppedError) -> None:
    time.sleep(GRACE)
    code = int(str(stopped.code))
    if not stopped.said:
        _say(code)
    os._exit(code)


def _dvc() -> tuple[int, int]:
    """A process and its parent, which is DVC: this one, or the shell that DVC called it
    by and that stays (dash does).
    """
    shell = Path(os.environ.get("SHELL") or "/bin/sh").resolve()
    own, parent = os.getpid(), os.getppid()
    with suppress(OSError):  # without /proc, or it has ended, which the loop will see
        if Path(f"/proc/{parent}/exe").resolve() == shell:
            return parent, _parent(parent)
    return own, parent


def _parent(pid: int) -> int:
    if pid == os.getpid():
        return os.getppid()
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])


def _end_with(watched: tuple[int, int]) -> None:
    pid, dvc = watched
    with suppress(OSError):
        while _parent(pid) == dvc:
            time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
