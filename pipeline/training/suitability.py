"""Whether an experiment's system can be trained on the inputs that it names."""

import os
import warnings
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from pipeline import lookup
from pipeline.batch import Sizes
from pipeline.lookup import ConfigurationError
from pipeline.training.experiment import Experiment

# What a system is tried with where only the data tell: most encoders' and vectors' own.
ENCODER_DIM, WORD_DIM, VOCABULARY_SIZE = 768, 300, 1000
# A weight, its gradient and the two moments of Adam, in single precision.
BYTES_PER_WEIGHT = 4 * 4
MOST_CALLS = 20_000  # of torch, to build a system; the published ones take hundreds
# What wrong numbers raise where a network is put together.
WRONG = (ValueError, RuntimeError, ArithmeticError, TypeError, IndexError, UserWarning)
EMPTY_LAYER = "Initializing zero-element tensors"  # torch's warning


def check_suits(where: str, experiment: Experiment, params: Any) -> None:
    """Raises ConfigurationError where an experiment's inputs are not of the kind that
    its system is defined on, or its hyperparameters are none that it can be built with.

    `params` has the checked sections of params.yaml.
    """
    _check_inputs(where, experiment, params)
    _check_buildable(where, experiment, likely_sizes(experiment, params))


def _check_inputs(where: str, experiment: Experiment, params: Any) -> None:
    system, network = experiment.system, experiment.network
    acoustic, text = experiment.acoustic, experiment.text
    if acoustic is not None and _unit(acoustic) != system.unit:
        kind = "samples of the waveform" if system.unit == "sample" else "frames"
        fit = [name for name in sorted(params.acoustic) if _unit(name) == system.unit]
        raise ConfigurationError(
            f"{where}.acoustic: {network} reads {kind}, which {acoustic!r} does not give"
            f"{_choose(fit, 'acoustic')}"
        )
    if text is not None and system.embeddings and _module(text) not in system.embeddings:
        fit = [name for name in sorted(params.text) if _module(name) in system.embeddings]
        raise ConfigurationError(
            f"{where}.text: {network} is defined on {' or '.join(system.embeddings)}, not on "
            f"{text!r}{_choose(fit, 'text')}"
        )
    by_token = text is not None and getattr(params.text[text], "pooling", "word") == "token"
    if by_token and "alignment" in system.needs:
        raise ConfigurationError(
            f"{where}.text: {network} places words in time, {text!r} has a vector for each "
            "token: use an embedding with `pooling: word`"
        )
    if text is not None and experiment.trains_embedding:
        _check_vectors_can_be_trained(f"{where}.train_embedding", experiment, text, params)


def _check_vectors_can_be_trained(
    where: str, experiment: Experiment, text: str, params: Any
) -> None:
    """Word vectors are trained where words have vectors of their own."""
    network = experiment.network
    if lookup.component("text", text).kind(params.text[text]) == "contextual":
        raise ConfigurationError(
            f"{where}: {network} trains its word vectors, those of {text!r} follow from the "
            "sentence: set it to false, or take an embedding with a vector for each word"
        )
    if experiment.train_embedding and _module(text) == "one_hot":
        raise ConfigurationError(
            f"{where}: words of {text!r} have no vectors, the layer that reads them is trained "
            "anyway: remove the line"
        )


def _unit(feature: str) -> str:
    """What a row of a feature is: a frame, or a sample of the waveform."""
    return str(getattr(lookup.component("acoustic", feature), "UNIT", "frame"))


def _module(name: str) -> str:
    return name.split("-", 1)[0]


def _choose(names: list[str], section: str) -> str:
    return f": choose one of {names}" if names else f": add one under `{section}`"


def likely_sizes(experiment: Experiment, params: Any) -> Sizes:
    """The widths of the experiment's inputs as far as params.yaml tells them: 768 for
    an encoder's, 300 for the word vectors of a file, 1000 words.
    """
    feature_dim = word_dim = vocabulary_size = 0
    if experiment.acoustic is not None:
        module = lookup.component("acoustic", experiment.acoustic)
        config = params.acoustic[experiment.acoustic]
        # An encoder's width stands in its files, which may not be there yet.
        known = not hasattr(module, "identity")
        feature_dim = len(module.feature_names(config)) if known else ENCODER_DIM
    if experiment.text is not None:
        word_dim = getattr(params.text[experiment.text], "vector_size", WORD_DIM)
        vocabulary_size = VOCABULARY_SIZE
    classes = set(params.splits[experiment.split].labels.values())
    return Sizes(feature_dim, word_dim, vocabulary_size, len(classes))


def _check_buildable(where: str, experiment: Experiment, sizes: Sizes) -> None:
    """Builds the system without memory: of wrong hyperparameters it fails, and too
    large a one is counted.
    """
    network, given = experiment.network, experiment.hyperparameters
    try:
        weights = count_weights(experiment, sizes)
    except WRONG as error:
        said = " ".join(str(error).split())
        said = "a layer would have no weights" if said.startswith(EMPTY_LAYER) else said
        raise ConfigurationError(
            f"{where}.hyperparameters: {network} cannot be built with {given}: {said}"
        ) from None
    needed = BYTES_PER_WEIGHT * weights
    if needed > _memory():
        raise ConfigurationError(
            f"{where}.hyperparameters: {network} with {given} has {weights:,} weights and needs "
            f"{needed / 2**30:,.0f} GiB to be trained, more than this machine has: make it smaller"
        )


def count_weights(experiment: Experiment, sizes: Sizes) -> int:
    """The number of weights of an experiment's system, built without memory."""
    with warnings.catch_warnings(), torch.device("meta"), _Unfilled():
        warnings.filterwarnings("error", EMPTY_LAYER)
        built = experiment.system(sizes, **experiment.hyperparameters)
    return sum(parameter.numel() for parameter in built.parameters())


class _Unfilled(TorchFunctionMode):
    """Leaves out drawing first weights: on tensors without memory it would import
    torch's compiler, which takes seconds. Raises ValueError where there is no end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise ValueError("more layers than can be trained")
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def _memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
