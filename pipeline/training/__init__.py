"""Training: the join of an experiment's inputs, the loop over epochs, checkpoints."""

from pipeline.training.experiment import Experiment, settings
from pipeline.training.suitability import check_suits

__all__ = ["Experiment", "check_suits", "settings"]
