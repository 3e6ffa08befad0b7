"""The page of the benchmarks: what was measured as tables."""

from typing import Any

COLUMNS = (
    "component", "reference", "audio s", "seconds", "reference s", "ratio", "noise of the ratio",
    "floor", "real-time factor", "largest difference", "in", "peak MiB", "reference peak MiB",
)  # fmt: skip
NOTES = """\
- `ratio` = reference / ours: above 1, ours is faster (in the rows of peak memory: smaller). All in
  one thread, but for rows that say two cores. `floor`: the least that the work needs, measured in
  the same run.
- acoustic: processor time, median of turns; `noise` is the quartiles of the turns. Peak memory is
  what extraction allocates beside the waveform. ssl: a model of wav2vec2-base's sizes with random
  weights.
- FLAC to HDF5: wall time from a fresh process to its end, imports included; two workers for ours,
  one process for the reference.
  Shuffled epochs: processor time; the first reads the shards, later ones find the examples in
  memory, as training does.
- BLSTM: the layer of LSTM_Attn_a, forward and backward, 32 sequences: of 200 to 400 frames, and as
  long as turns of dialogue (4.5 s in the mean, at most 10); the padded one also runs over padding
  and gives other numbers. The packed one is timed once.
- alignment: processor time, one run over all utterances; a process's whole peak memory.
- text: wall time, the better of two runs; a process's whole peak memory.
- FG_CME: processor time, median of turns; `noise` is the lowest and the highest turn. The
  reference is the plain form of the same layers. Differences are of loss and gradients; peak
  memory is above the loaded data.
"""

SHORT = """\
## Where more was wanted, and what was tried

- FLAC to HDF5 (four times): libsndfile's decoding and the mel energies are more than half of the
  processor time, the start of the processes a second. Tried: workers that are copies of one
  process, compiled loops that are kept, shards in pieces, which made 1.7 into 2.7.
- eGeMAPS on two cores (1.8 times) stands at opensmile's own speed on each: 1.78 and 1.85 in two
  runs.
- Shuffled epochs (ten times): an utterance is read in one system call, and to pad a batch costs
  little more than to copy its bytes. Tried, for 1440 utterances in batches: padding by numpy 14
  ms, by one gather of all rows 15, by nested tensors 31, as it is 17.
- pocketsphinx (once): 93 % of ours is the package's own search and scoring; it also tries 4 of the
  150 clips a second time. Tried: a first beam of 1e-30 to 1e-20 for 1e-40, within 4 %; two
  densities for four and every second frame, 8 and 28 % faster, but 94.8 and 93.8 % of words within
  50 ms.
- BLSTM of 200 to 400 frames (twice the padded one): oneDNN's. Its matrix products alone are nearly
  half of it. Tried: one call for all, 1.1 times; fewer sequences as they end, 1.2 to 1.4.
- FG_CME, epoch (ten times): reading is 2 % of it, the rest are the steps of the network.
"""


def markdown(results: dict[str, Any]) -> str:
    """The results as a table, with the machine and what the columns mean."""
    host = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in host["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`; do not edit.",
        "",
        f"- {results['date']}, {host['cpu']}, {host['cores']} cores, "
        f"load average {host['load_average']} at the start",
        f"- {host['system']}, Python {host['python']}, {versions}",
        f"- acoustic features of {results['audio']}",
        *(["- **a quick run: these figures mean nothing**"] * results["quick"]),
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "| --- | --- |" + " ---: |" * (len(COLUMNS) - 2),
        *("| " + " | ".join(_cells(row)) + " |" for row in results["rows"] if "table" not in row),
        "",
    ]
    tables: dict[str, list[dict[str, Any]]] = {}
    for row in results["rows"]:
        if "table" in row:
            tables.setdefault(row["table"], []).append(row["cells"])
    for title, cells in tables.items():
        lines += ["## " + title, "", "| " + " | ".join(cells[0]) + " |"]
        lines += ["| --- |" + " ---: |" * (len(cells[0]) - 1)]
        lines += [
            "| "
            + " | ".join(
                value if isinstance(value, str) else _number(value) for value in line.values()
            )
            + " |"
            for line in cells
        ]
        lines += [""]
    lines += ["## Notes", ""]
    lines += [
        f"- {row['component']}: {_number(row['processor_seconds'])} s of processor time, the "
        f"reference {_number(row['reference_processor_seconds'])} s, ratio "
        f"{_number(row['processor_ratio'])}"
        for row in results["rows"]
        if "processor_ratio" in row
    ]
    truths = [row for row in results["rows"] if row.get("median_ms") is not None]
    lines += [
        f"- {row['component']} against the true word starts: median error {row['median_ms']} ms, "
        f"{row['within_50ms']:.1%} within 50 ms; "
        f"{row['share_placed']:.1%} of {row['utterances']} utterances placed"
        for row in truths
    ]
    return "\n".join([*lines, NOTES, SHORT])


def _cells(row: dict[str, Any]) -> list[str]:
    difference = row.get("largest_difference")
    if isinstance(difference, dict):
        difference = difference["float32_absolute"]
    low, high = row.get("ratio_quartiles") or (row.get("ratio_lowest"), row.get("ratio_highest"))
    return [
        row["component"],
        row["reference"] or "–",
        _number(row.get("audio_seconds")),
        _number(row.get("seconds")),
        _number(row.get("reference_seconds")),
        _number(row.get("ratio")),
        "–" if low is None else f"{_number(low)} to {_number(high)}",
        _floor(row),
        _number(row.get("real_time_factor")),
        "–" if difference is None else f"{difference:.1e}",
        "–" if difference is None else row.get("difference_in", "absolute"),
        _number(row.get("peak_memory_mib")),
        _number(row.get("reference_peak_memory_mib")),
    ]


def _floor(row: dict[str, Any]) -> str:
    seconds = row.get("floor_seconds")
    return "–" if seconds is None else f"{_number(seconds)} s: {row['floor']}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
