"""Training: the join of an experiment's inputs, the loop over epochs, checkpoints."""

from pipeline.training.experiment import Experiment, settings

__all__ = ["Experiment", "settings"]
