"""Curves of an experiment for `dvc plots` and `dvc metrics`."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.lookup import ConfigurationError
from pipeline.training.schedule import Outcome


def log_curves(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Writes the mean curve over folds and seeds with DVCLive; what the folder held
    before is removed, because its files may be links into a cache.

    Raises ConfigurationError in a git repository without a commit.
    """
    from dvclive import Live  # type: ignore[attr-defined]
    from scmrepo.exceptions import SCMError

    if folder.exists():
        shutil.rmtree(folder)
    try:
        writer = Live(
            str(folder), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False
        )
    except SCMError as error:
        raise ConfigurationError(
            f"DVCLive cannot write learning curves ({error}): it needs a repository with a commit, "
            "`git commit` and go on; finished folds are kept"
        ) from None
    with writer as live:
        for epoch in range(max(len(outcome.history) for outcome in outcomes)):
            curves = [
                outcome.history[epoch] for outcome in outcomes if epoch < len(outcome.history)
            ]
            for name in curves[0]:
                if name != "epoch":
                    mean = float(np.mean([curve[name] for curve in curves]))
                    live.log_metric(name.replace("_", "/", 1), mean)
            live.next_step()
