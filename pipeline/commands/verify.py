"""Whether features, vectors and word times are what their settings, code and recordings
give: files against their hashes, a sample of utterances against what is made again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pipeline import executor, lookup
from pipeline import params as parameters
from pipeline.commands import _outputs as outputs
from pipeline.commands._outputs import Compared, Inspected, Output
from pipeline.lookup import ConfigurationError

State = Literal[
    "bytes equal", "equal within tolerance", "not compared", "stale", "drift", "damaged", "absent"
]
SOUND = ("bytes equal", "equal within tolerance", "not compared")
SHOWN = 5  # utterances that a line names
TOLERANCE = (
    f"features and vectors: {outputs.SHARE:g} of a column's standard deviation in the utterance "
    f"+ {outputs.ROUNDING:g} of its largest value + {outputs.ZERO:g}; "
    f"word times: {outputs.SECONDS * 1000:.0f} ms"
)


@dataclass(frozen=True)
class Verdict:
    """What was found of one output.

    apart: the largest difference in tolerances, up to 1 is within them, None where it
    cannot be measured. details: one line each. made_by: the environments that made it,
    where they were recorded.
    """

    output: str
    state: State
    compared: int
    bytes_equal: int
    apart: float | None
    details: tuple[str, ...]
    made_by: tuple[Mapping[str, str], ...]


def verify(
    params_file: Path,
    data: Path,
    only: Sequence[str] = (),
    sample: int | None = 10,
    seed: int = 0,
) -> list[Verdict]:
    """Verdicts on every acoustic, text and alignment output that params.yaml builds, or
    on those named `only`.

    `sample` utterances of each are made again, chosen by `seed`; None: all. Raises
    ConfigurationError for an unknown name.
    """
    executor.choose(parameters.load_section(params_file, "engine"))
    chosen = _outputs(params_file, data, only)
    here = [item for item in chosen if item.folder.is_dir()]
    work = [(item, sample, seed) for item in here]
    inspected = list(executor.run(outputs.inspect, work, "check files"))
    again = [
        (output, group)
        for output, found in zip(here, inspected, strict=True)
        for group in found.groups
    ]
    compared: dict[str, list[Compared]] = {str(output): [] for output in here}
    made = executor.run(outputs.compare, again, "make again")
    for (output, _), results in zip(again, made, strict=True):
        compared[str(output)] += results
    found = {
        str(output): _verdict(output, inspection, compared[str(output)])
        for output, inspection in zip(here, inspected, strict=True)
    }
    return [found.get(str(output)) or _absent(output) for output in chosen]


def holds(verdicts: Sequence[Verdict]) -> str:
    """Which of the two holds for all: "bytes" or "tolerance"; "neither" where an output
    is stale, damaged, absent or has drifted.
    """
    states = {item.state for item in verdicts}
    if not states <= set(SOUND):
        return "neither"
    return "tolerance" if "equal within tolerance" in states else "bytes"


def show(verdicts: Sequence[Verdict], as_json: bool) -> bool:
    """Prints the verdicts; whether all is sound."""
    from rich.console import Console
    from rich.markup import escape

    found = holds(verdicts)
    if as_json:
        document = {
            "holds": found,
            "tolerance": TOLERANCE,
            "environment": lookup.environment(),
            "outputs": [asdict(item) for item in verdicts],
        }
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return found != "neither"
    console = Console(soft_wrap=True, highlight=False)
    width = max(len(item.output) for item in verdicts) if verdicts else 0
    for item in verdicts:
        colour = "green" if item.state in SOUND else "red"
        same = f"{item.bytes_equal} of {item.compared} made again are the same bytes"
        state = f"[{colour}]{item.state:22}[/]"
        console.print(f"{escape(item.output):{width}}  {state}  {same if item.compared else ''}")
        for line in item.details:
            console.print(f"  {escape(line)}")
    last = {
        "bytes": "every byte that was made again is the same",
        "tolerance": f"equal within the tolerance, not byte for byte ({TOLERANCE})",
        "neither": "not sound: `dvc repro` makes again what is stale; delete what is damaged first",
    }
    console.print(last[found])
    return found != "neither"


def _outputs(params_file: Path, data: Path, only: Sequence[str]) -> list[Output]:
    params = parameters.load(params_file)
    needed = parameters.needed(params)
    found = [
        Output(
            section,
            item["corpus"],
            item["name"],
            parameters.entry(params, section, item["name"]),
            data,
        )
        for section in ("acoustic", "alignment", "text")
        for item in needed[section].values()
    ]
    known = {str(item): item for item in found}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ConfigurationError(
            f"unknown output {', '.join(unknown)}, expected some of {sorted(known)}"
        )
    return [known[name] for name in only] if only else found


def _absent(output: Output) -> Verdict:
    remedy = f"{output.folder} is not here: `dvc pull` fetches it, `dvc repro` makes it"
    return Verdict(str(output), "absent", 0, 0, None, (remedy,), ())


def _verdict(output: Output, inspected: Inspected, compared: Sequence[Compared]) -> Verdict:
    faults = [item for item in compared if item.fault]
    apart = max((item.apart for item in compared if not item.fault), default=0.0)
    drifted = [item for item in compared if not item.fault and item.apart > 1]
    same = sum(not item.fault and item.apart == 0 for item in compared)
    state: State = "bytes equal" if compared else "not compared"
    if inspected.damaged:
        state = "damaged"
    elif inspected.stale:
        state = "stale"
    elif drifted or faults:
        state = "drift"
    elif apart > 0:
        state = "equal within tolerance"
    details = [*inspected.damaged, *inspected.stale]
    if drifted:
        names = ", ".join(item.utterance_id for item in drifted[:SHOWN])
        details.append(f"{len(drifted)} of {len(compared)} made again differ: {names}")
    details += [f"{item.utterance_id}: {item.fault}" for item in faults[:SHOWN]]
    if len(faults) > SHOWN:
        details.append(f"{len(faults) - SHOWN} more that cannot be compared")
    if state == "not compared":
        details.append("files, hashes and keys are right; nothing of it can be made one by one")
    if apart > 0:
        if apart <= 1:
            details.append(f"the largest difference is {apart:.2g} of the tolerance")
        details += _versions(inspected.made_by)
    return Verdict(
        str(output),
        state,
        len(compared),
        same,
        apart if compared and apart < float("inf") else None,
        tuple(details),
        inspected.made_by,
    )


def _versions(made_by: Sequence[Mapping[str, str]]) -> list[str]:
    """How the environments that made an output differ from this one."""
    if not made_by:
        return ["what made it was not recorded"]
    here, lines = lookup.environment(), []
    for maker in made_by:
        names = sorted(name for name in {*here, *maker} if here.get(name) != maker.get(name))
        differences = [f"{name} {maker.get(name)}, here {here.get(name)}" for name in names]
        lines.append(f"made with {'; '.join(differences) or 'the versions of this machine'}")
    return lines
