"""One network trained on every labelled utterance, for use on recordings of other
people: there is nothing left to try it on, its score is that of the folds.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from pipeline.lookup import ConfigurationError
from pipeline.training import checkpoint, loop
from pipeline.training.dataset import Examples
from pipeline.training.fitted import fit, sizes
from pipeline.training.fold import choose_device
from pipeline.training.inputs import lacking, open_inputs
from pipeline.training.schedule import Task
from pipeline.training.word_vectors import TrainedVectors


def refit(task: Task, labels: Mapping[str, str], epochs: int) -> None:
    """Trains the task's system on `labels` (class by utterance_id) for `epochs` and
    writes a checkpoint to `task.out`.

    Raises ConfigurationError where no utterance has what the system reads, or where a
    system takes no steps.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    training = {**task.experiment.training, "epochs": epochs}
    experiment = replace(task.experiment, training=training)
    device = choose_device(experiment.device)
    inputs = open_inputs(task.folders)
    missing = lacking(inputs, sorted(labels))
    kept = [name for name in sorted(labels) if experiment.fills or name not in missing]
    if not kept:
        raise ConfigurationError(f"no utterance has what {experiment.network} reads")
    fitted = fit(inputs, kept, experiment.normalized_by, experiment.trains_embedding)
    start = fitted.table if experiment.trains_embedding else None
    widths = sizes(inputs, fitted, len(task.classes))
    truth = [task.classes.index(labels[name]) for name in kept]
    examples = {
        "train": Examples(inputs, fitted, kept, truth, experiment.max_words),
        "valid": Examples(inputs, fitted, [], [], experiment.max_words),
        # The loop answers something in each epoch; nobody reads it.
        "test": Examples(inputs, fitted, kept[:1], None, experiment.max_words),
    }
    torch.manual_seed(loop.stream(task.seed, "refit", "initial"))
    network = experiment.system(widths, **experiment.hyperparameters).to(device)
    if hasattr(network, "solve"):
        raise ConfigurationError(
            f"{experiment.network} takes no steps to train again: export its folds, without --refit"
        )
    if start is not None:
        network = TrainedVectors(network, start).to(device)
    state = loop.train(replace(task, experiment=experiment), network, examples, device)
    network.load_state_dict(state.best)
    if isinstance(network, TrainedVectors):
        fitted, network = replace(fitted, table=network.table()), network.network
    chosen = {
        "classes": list(task.classes),
        "seed": task.seed,
        "epoch": epochs,
        "train_embedding": start is not None,
    }
    checkpoint.save(task.out, network, fitted, widths, {**task.description, **chosen})
