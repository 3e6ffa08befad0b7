"""Stage check: params.yaml is right, and build.yaml holds all that it asks for."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import params as parameters
from pipeline import tables
from pipeline.commands import build
from stages.entry import PARAMS, ParamsFile, run, say

BuildFile = Annotated[Path, typer.Option("--build", help="What `serflow sync` wrote.")]


def main(
    out: Annotated[Path, typer.Argument(help="Written when all is well; always the same.")],
    params_file: ParamsFile = PARAMS,
    build_file: BuildFile = Path("build.yaml"),
) -> None:
    """Stops a build that would not do what params.yaml says, before any work."""
    params = parameters.load(params_file)
    build.check_current(build_file, params)
    tables.write_text(out, "params.yaml and build.yaml agree\n")
    say(f"check: {len(params.experiments)} experiments")


if __name__ == "__main__":
    run(main)
