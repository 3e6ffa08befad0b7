"""Every system refuses inputs that its paper does not define it on."""

import copy
from typing import Any

import pytest

from pipeline import lookup
from pipeline import params as parameters
from pipeline.lookup import ConfigurationError
from tests.resources.params_document import DOCUMENT

SYSTEMS = lookup.systems()
EMBEDDINGS = {"bert", "fasttext", "glove", "one_hot", "word2vec"}
READ = {"acoustic": "fbank", "alignment": "either", "text": "word2vec"}


def document(network: str, **changes: str | None) -> dict[str, Any]:
    """Params with one experiment that has what the system reads, but for `changes`."""
    made: dict[str, Any] = copy.deepcopy(DOCUMENT)
    made["text"] = {name: {"path": "vectors.txt"} for name in ("fasttext", "glove")}
    made["text"] |= {"bert": {}, "one_hot": {}, "word2vec": {}}
    system = SYSTEMS[network]
    inputs = {name: READ[name] for name, reads in parameters.inputs_of(system).items() if reads}
    if system.unit == "sample":
        inputs["acoustic"] = "waveform"
    if system.embeddings and "text" in inputs:
        inputs["text"] = system.embeddings[0]
    settings = {"corpus": "manifest", "network": network, "split": "random-two"}
    made["experiments"] = {"first": settings | inputs | changes}
    return made


@pytest.mark.parametrize("network", sorted(SYSTEMS))
def test_a_system_takes_its_own_inputs_and_refuses_others(network: str) -> None:
    system = SYSTEMS[network]
    parameters.check(document(network))
    for section, reads in parameters.inputs_of(system).items():
        wrong = None if reads else READ[section]
        said = "needs it, expected one of" if reads else "does not read it, remove the line"
        refuse(network, f"{section}: {network} {said}", **{section: wrong})
    if "audio" in system.needs or "alignment" in system.needs:
        samples = system.unit == "sample"
        kind = "samples of the waveform" if samples else "frames"
        other = "fbank" if samples else "waveform"
        refuse(network, f"{network} reads {kind}, which {other!r} does not give", acoustic=other)
    for name in EMBEDDINGS - set(system.embeddings) if system.embeddings else ():
        refuse(network, f"{network} is defined on {system.embeddings[0]}, not on", text=name)
    refuse(network, "unknown name 'nothing' in experiments.first.split", split="nothing")


def refuse(network: str, message: str, **changes: str | None) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parameters.check(document(network, **changes))
    assert message in str(raised.value)
