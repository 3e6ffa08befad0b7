"""`make faults`: every kind of fault over the demo DAG, and what came of it.

python -m tests.faults.run --minutes 28 --kills 100 --seed 0 --write
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import damages, kills, project

ACOUSTIC, TEXT, SPANS = "demo-fbank", "demo-bert", "demo-pocketsphinx"
TRAINED = project.QUICKEST
IN_A_ROW = 3  # strikes before the build that is compared


@dataclass
class Row:
    """A line of the table: a kind of fault, how often it was tried, what was wrong."""

    kind: str
    times: int = 0
    slowest: float | None = None
    wrong: list[str] = field(default_factory=list)


class Table:
    """What was tried so far, in the order of the kinds, until the time is over."""

    def __init__(self, minutes: float) -> None:
        self.rows: dict[str, Row] = {}
        self.deadline = time.monotonic() + 60 * minutes

    def over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self.deadline

    def row(self, kind: str) -> Row:
        """The line of a kind."""
        return self.rows.setdefault(kind, Row(kind))

    def tried(self, kind: str, what: str, wrong: list[str], seconds: float | None = None) -> None:
        """Adds a trial to its line."""
        row = self.row(kind)
        row.times += 1
        row.wrong += [f"{what}: {line}" for line in wrong]
        if seconds is not None:
            row.slowest = max(row.slowest or 0, seconds)
        print(f"{'WRONG' if wrong else 'good '} {kind}: {what}", flush=True)
        for line in wrong:
            print(f"      {line}", flush=True)

    def markdown(self) -> list[str]:
        """The table's lines."""
        lines = ["| fault | times | as it should be | slowest end |", "|---|---|---|---|"]
        for row in self.rows.values():
            wrong = len({line.split(": ")[0] for line in row.wrong})
            slowest = "" if row.slowest is None else f"{row.slowest:.1f} s"
            lines.append(f"| {row.kind} | {row.times} | {row.times - wrong} | {slowest} |")
        return lines


def build(where: Path) -> tuple[dict[str, str], dict[str, float]]:
    """Builds the undisturbed demo: its hashes, and the seconds of every stage."""
    process = project.begin(where, project.repro())
    moments: dict[str, float] = {}
    while process.poll() is None:
        time.sleep(0.2)
        for line in (where / ".said").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Running stage '"):
                moments.setdefault(line.split("'")[1], time.monotonic())
    ended = project.end(where, process)
    assert ended.code == 0, ended.said[-3000:]
    times = [*moments.values(), time.monotonic()]
    seconds = {
        item: later - begun for item, begun, later in zip(moments, times, times[1:], strict=False)
    }
    return project.hashes(where), seconds


def plan(
    seconds: dict[str, float], number: int, chance: random.Random
) -> list[tuple[str, list[tuple[str, float]]]]:
    """Items, and mode and moment of up to three strikes in a row: the quicker items of
    every stage in turn, the oftener the quicker they are; the modes in turn within a
    stage.
    """
    items: dict[str, list[str]] = {}
    for item in sorted(seconds, key=lambda item: seconds[item]):
        stage = items.setdefault(item.partition("@")[0], [])
        if not stage or seconds[item] < 2 * seconds[stage[0]]:
            stage.append(item)
    weights = {stage: seconds[names[0]] ** -0.5 for stage, names in items.items()}
    share = number / sum(weights.values())
    planned = []
    for stage, names in items.items():
        modes = [mode for mode in kills.MODES if stage in kills.WITH_WORKERS or mode != "worker"]
        first = chance.randrange(len(modes))
        for turn in range(max(1, round(share * weights[stage] / IN_A_ROW))):
            item = names[turn % len(names)]
            strikes = [
                (modes[(first + IN_A_ROW * turn + more) % len(modes)], 0.9 * seconds[item])
                for more in range(IN_A_ROW)
            ]
            planned.append((item, [(mode, chance.uniform(0, end)) for mode, end in strikes]))
    # When the time is over, every stage and mode shall have had its share.
    chance.shuffle(planned)
    return planned


def disturb(where: Path, beside: Path, table: Table, number: int, seed: int) -> None:
    """All faults, as long as there is time."""
    chance = random.Random(seed)
    began = time.monotonic()
    reference, seconds = build(where)
    print(f"undisturbed: {time.monotonic() - began:.0f} s, {len(reference)} outputs", flush=True)
    # Kinds that are one trial each come first: they are never crowded out.
    for kind, trial in others(where, beside, reference, chance):
        if not table.over():
            table.tried(kind, "", trial())
    for item, strikes in plan(seconds, number, chance):
        if table.over():
            break
        done = kills.kill(where, item, strikes, reference, chance)
        for (_, moment), (struck, ended, wrong) in zip(strikes, done, strict=True):
            table.tried(kills.NAMES[struck], f"{item} after {moment:.2f} s", wrong, ended)
    project.must(where, project.repro())
    found = project.hashes(where)
    locks = where / ".locks"
    if locks.is_file():
        table.row("DVC's file of locks left empty by a kill, removed by hand").times = len(
            locks.read_text(encoding="utf-8")
        )
    table.tried(
        "the whole DAG afterwards, by its hashes",
        "",
        [path for path in reference if found.get(path) != reference[path]],
    )


def others(
    where: Path, beside: Path, reference: dict[str, str], chance: random.Random
) -> list[tuple[str, Callable[[], list[str]]]]:
    """Damages, a full disk, forbidden places, two builds, remotes."""
    trials: list[tuple[str, Callable[[], list[str]]]] = []
    for case in damages.cases(ACOUSTIC, TEXT, SPANS, TRAINED):
        chosen = chance.randrange(1000)
        trials.append(
            (
                case.kind,
                lambda case=case, chosen=chosen: damages.mend(where, case, chosen, reference),
            )
        )
    utterances = "data/utterances/demo/utterances.parquet"
    folder = f"data/acoustic/demo/{ACOUSTIC.partition('-')[2]}"
    item, split = f"acoustic@{ACOUSTIC}", "split@demo-session"
    trials += [
        ("two dvc repro at once", lambda: damages.two_at_once(where, item, reference)),
        (
            "an input unreadable",
            lambda: damages.unreadable(where, item, utterances, reference),
        ),
    ]
    if can_mount():
        spaces = [
            ("prepare@demo", "data/utterances/demo", "16k"),
            (item, folder, "65m"),
            (f"align@{SPANS}", "data/spans/demo/pocketsphinx", "16k"),
            (split, "data/splits/demo/session", "4k"),
            (f"train@{TRAINED}", f"models/{TRAINED}", "64k"),
            (f"text@{TEXT}", "data/text/demo/bert", "65m"),
        ]
        for name, place, size in spaces:
            trials.append(
                (
                    "a full disk",
                    lambda name=name, place=place, size=size: damages.full_disk(
                        where, name, place, size, reference
                    ),
                )
            )
        trials += [
            ("a read-only folder", lambda: damages.read_only(where, item, folder, reference)),
            (
                "a remote that is full, a push and a pull killed half-way",
                lambda: damages.failing_remote(where, beside, reference),
            ),
        ]
    return trials


def can_mount() -> bool:
    """Whether this user may mount a tmpfs, which a full disk is tried with."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with damages.tmpfs(Path(folder), "16k"):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def main() -> None:
    """Tries all faults and says what came of them; exit code 1 if one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=28, help="No trial begins later.")
    parser.add_argument("--kills", type=int, default=110)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="Write docs/RELIABILITY.md.")
    chosen = parser.parse_args()
    table, began = Table(chosen.minutes), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="serflow-faults-") as folder:
        where = project.demo(Path(folder) / "project")
        disturb(where, Path(folder), table, chosen.kills, chosen.seed)
        assert project.wait_for_end(where, kills.LIMIT) is not None, "processes were left"
        shutil.rmtree(where)
    struck = sum(row.times for kind, row in table.rows.items() if kind in kills.NAMES.values())
    minutes = (time.monotonic() - began) / 60
    told = (
        f"`make faults`, seed {chosen.seed}: {struck} kills and signals at random moments of all "
        f"stages of the demo DAG (few epochs), {IN_A_ROW} in a row before the build that is "
        f"compared, {minutes:.0f} minutes on "
        f"{len(os.sched_getaffinity(0))} cores."
    )
    print("\n".join([told, *table.markdown()]))
    if chosen.write:
        project.tell("faults", [told, "", *table.markdown()])
    sys.exit(int(any(row.wrong for row in table.rows.values())))


if __name__ == "__main__":
    main()
