"""`make reproducible`: the demo DAG gives the same bytes under other conditions.

python -m tests.faults.reproduce --workers 1,3 --write
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults import conditions, project


def main() -> None:
    """Builds the demo as it is and elsewhere; exit code 1 if a byte differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,3", help="Of each build elsewhere.")
    parser.add_argument("--write", action="store_true", help="Write docs/RELIABILITY.md.")
    chosen = parser.parse_args()
    lines = ["| build | outputs | that differ |", "|---|---|---|"]
    differing: list[str] = []
    with tempfile.TemporaryDirectory(prefix="serflow-reproduce-") as folder:
        first = project.demo(Path(folder) / "project")
        project.must(first, project.repro(), SERFLOW_WORKERS="2")
        reference = project.hashes(first)
        lines.append(f"| 2 workers | {len(reference)} | |")
        for workers in map(int, chosen.workers.split(",")):
            where = project.demo(Path(folder) / f"an ö place {workers}")
            shuffled = Path(folder) / f"shuffled {workers}"
            variables = conditions.elsewhere(shuffled, workers)
            project.must(where, project.repro(), **variables)
            found = project.hashes(where)
            names = sorted(reference.keys() | found.keys())
            other = [name for name in names if found.get(name) != reference.get(name)]
            kind = f"{workers} worker{'s' * (workers > 1)}, elsewhere"
            lines.append(f"| {kind} | {len(found)} | {len(other)} |")
            print("\n".join([lines[-1], *other]), flush=True)
            differing += other
    told = (
        "`make reproducible`: SHA-256 of every output of the demo DAG (few epochs). Elsewhere is a "
        "folder with a space and a letter beyond ASCII, shuffled listings of folders, locale C, "
        "another time zone, random hashes of strings."
    )
    if chosen.write:
        project.tell("reproducible", [told, "", *lines])
    sys.exit(int(bool(differing)))


if __name__ == "__main__":
    main()
