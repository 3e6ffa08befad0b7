"""`serflow corpus check`: reads a corpus as `prepare` does and prints what is wrong."""

from pathlib import Path

from rich.console import Console

from pipeline import corpora, executor, lookup
from pipeline import params as parameters
from pipeline.commands import _corpus_findings as findings
from pipeline.commands import _corpus_table, corpus_check
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance


def inspect(name: str, root: str | None, params_file: Path) -> bool:
    """Prints the corpus's counts and faults; False where it is not fit for training."""
    settings = _settings(name, root, params_file)
    module = lookup.component("corpora", name)
    config = lookup.configure(module.Config, settings.reader, f"corpora.{name}.reader")
    folder = Path(settings.root)
    found = list(module.read(folder, config))
    utterances = [item for item in found if isinstance(item, Utterance)]
    result = corpus_check.check(
        name,
        utterances,
        [item for item in found if isinstance(item, Rejection)],
        module.TOTALS,
        recordings=executor.run(findings.inspect, utterances, f"check {name}"),
        root=folder,
        sampling_rate=getattr(module, "SAMPLING_RATE", None),
    )
    console = Console()
    console.print(_corpus_table.table(result))
    stated = " ".join(filter(None, (module.LICENCE.name, module.LICENCE.url)))
    console.print(f"licence: {stated}", highlight=False, markup=False)
    return result.fit_for_training


def _settings(name: str, root: str | None, params_file: Path) -> corpora.Corpus:
    lookup.check_name(name, "corpus")
    known = parameters.load(params_file).corpora if params_file.is_file() else {}
    if root is not None:
        reader = known[name].reader if name in known else {}
        return corpora.settings(name, {"root": root, "reader": reader})
    if name not in known:
        raise ConfigurationError(
            f"{params_file} has no corpus {name!r}: say where it lies with --root, or name one "
            f"of {sorted(known)}"
        )
    found: corpora.Corpus = known[name]
    return found
