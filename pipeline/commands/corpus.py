"""`serflow corpus check`: reads a corpus as the prepare stage does, looks at every
recording, prints what is wrong.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipeline import executor, lookup
from pipeline import params as parameters
from pipeline.commands import corpus_check
from pipeline.corpora import Corpus
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance


def inspect(name: str, root: str | None, params_file: Path) -> bool:
    """Prints a corpus's counts and faults; False if training on it would be wrong."""
    settings = _settings(name, root, params_file)
    module = lookup.component("corpora", name)
    folder = Path(settings.root)
    found = list(
        module.read(
            folder, lookup.configure(module.Config, settings.reader, f"corpora.{name}.reader")
        )
    )
    utterances = [item for item in found if isinstance(item, Utterance)]
    result = corpus_check.check(
        name,
        utterances,
        [item for item in found if isinstance(item, Rejection)],
        module.TOTALS,
        root=folder,
        sampling_rate=getattr(module, "SAMPLING_RATE", None),
        recordings=list(executor.run(corpus_check.inspect, utterances, f"check {name}")),
    )
    Console().print(corpus_check.table(result))
    return result.fit_for_training


def _settings(name: str, root: str | None, params_file: Path) -> Corpus:
    known = parameters.load(params_file).corpora if params_file.is_file() else {}
    if root is not None:
        return Corpus(root, known[name].reader if name in known else {})
    if name not in known:
        raise ConfigurationError(
            f"{name} is not in {params_file}, expected --root or one of {sorted(known)}"
        )
    found: Corpus = known[name]
    return found
