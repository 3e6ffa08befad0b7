"""`serflow new`: a corpus of one's own, from recordings and labels to a number.

What the recordings are called, or a table of any columns, becomes a manifest under
`data/raw/<name>`; params.yaml gets the corpus, a protocol and an experiment that fit
what is known of the utterances.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import lookup, params, tables
from pipeline.commands import recipes
from pipeline.commands._own_rows import COLUMNS, SYNONYMS, Found, find
from pipeline.commands.table import repro
from pipeline.lookup import ConfigurationError
from pipeline.report import terminal

RAW = Path("data/raw")
FOLDS = 5
FEW = 2000  # utterances: below it shorter steps, as recipes/fg_cme-ravdess.yaml found
# With fewer different sentences the words are a script, and say nothing.
SENTENCES = 50
ALIGNED = ("en",)  # languages that pocketsphinx places
VOICE, BOTH = "CNN_LSTM_a", "FG_CME"  # the cheapest of the papers, see `serflow systems`


def start(
    params_file: Path,
    name: str,
    folder: Path,
    table: Path | None,
    columns: Sequence[str],
    pattern: str | None,
    network: str | None,
    language: str,
    build: bool,
) -> None:
    """Adds the corpus and its experiment, both called `name`, and has DVC build them;
    `columns` are 'field=column'.
    """
    lookup.check_name(name, "serflow new")
    named = dict(column.partition("=")[::2] for column in columns)
    if wrong := sorted(set(named) - set(SYNONYMS)):
        raise ConfigurationError(f"--column {wrong[0]!r}, expected one of {list(SYNONYMS)}")
    found = find(folder, table, pattern, named)
    taken = params.load(params_file).document
    made, notes = sections(name, folder, found, network, language, taken)
    path = add(params_file, name, found, made)
    (experiment,) = made["experiments"].values()
    classes = ", ".join(f"{label} {number}" for label, number in found.classes.items())
    print(
        f"{path}: {len(found.rows)} recordings, {found.speakers or 'unknown'} speakers; {classes}"
    )
    for note in (*found.notes, *notes):
        print(f"note: {note}")
    print(f"added experiment {name}: {experiment['network']} on {experiment['split']}")
    if not build:
        print(f"dvc repro evaluate@{name}")
        return
    repro([f"evaluate@{name}"])
    models = params_file.parent / "models"
    terminal.show(models, params_file.parent / "data", only=name)


def sections(
    name: str,
    folder: Path,
    found: Found,
    network: str | None,
    language: str,
    taken: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Any], list[str]]:
    """The params sections of the corpus, its protocol and an experiment called like it,
    and what there is to say about them; `taken` are the sections that there are.
    """
    notes = []
    corpus = f"manifest-{name}"
    texts = {row["transcript"] for row in found.rows}
    spoken = all(texts) and len(texts) >= SENTENCES and language in ALIGNED
    network = network or (BOTH if spoken else VOICE)
    system = lookup.system(network)
    if system.needs & {"text", "alignment"} and not all(texts):
        raise ConfigurationError(
            f"{network} reads words, and there are utterances without a transcript: give a table "
            f"with a column transcript, or take a system that reads the voice alone, e.g. {VOICE}"
        )
    if not spoken and network == VOICE and all(texts):
        notes.append(
            f"the words are not used: {len(texts)} different sentences in {language!r} "
            f"(--network {BOTH} uses them)"
        )
    protocol, split = _protocol(found, "text" in system.needs)
    if protocol != "speaker":
        notes.append(
            "the speakers are unknown or too few, so a voice may stand in training and test, and "
            "the score is too good for new voices: say who speaks by a column `speaker`, or by "
            "{speaker} in --names"
        )
    made: dict[str, Any] = {
        "corpora": {
            corpus: {
                "root": (RAW / name).as_posix(),
                "reader": {"audio_root": folder.as_posix(), "language": language},
            }
        },
        "splits": {f"{protocol}-{name}": split},
    }
    experiment = {"corpus": corpus, "network": network, "split": f"{protocol}-{name}"}
    paper = system.__module__.rpartition(".")[2]
    inputs, published = _inputs(paper, network, system, language)
    if paper == "fg_cme" and len(found.rows) < FEW:
        published["training"] = {"batch_size": 8, "epochs": 40}
    for section, (item, settings) in inputs.items():
        known = taken.get(section, {})
        # A name that stands for something else there already.
        if item in known and known[item] != settings:
            item = f"{item.partition('-')[0]}-{name}"
        made[section] = {item: settings}
        experiment[section] = item
    made["experiments"] = {name: experiment | published}
    return made, notes


def add(params_file: Path, name: str, found: Found, made: Mapping[str, Any]) -> Path:
    """Writes the manifest and the sections of params.yaml; returns the manifest.

    Raises ConfigurationError, and changes nothing, where a manifest of other utterances
    or other settings stand under the name.
    """
    lookup.check_name(name, "serflow new")
    path = params_file.parent / RAW / name / "manifest.csv"
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found.rows)
    if path.is_file() and path.read_text(encoding="utf-8") != out.getvalue():
        raise ConfigurationError(
            f"{path} lists other utterances: take another name, or delete that file"
        )
    recipes.use(params_file, made)
    tables.write_text(path, out.getvalue())
    return path


def _protocol(found: Found, reads_words: bool) -> tuple[str, dict[str, Any]]:
    labels = {label: label for label in found.classes}
    # A network that reads words would know a sentence again; a voice is another one.
    shared: dict[str, Any] = {"sentences": "drop"} if reads_words else {"allow": ["sentence"]}
    allowed = shared.setdefault("allow", [])
    allowed += ["session"] if any(row["session"] for row in found.rows) else []
    # A fold tests some speakers and validates on others, and trains on two at least.
    if found.speakers >= 4:
        return "speaker", {"labels": labels, **shared, "folds": min(FOLDS, found.speakers)}
    allowed.append("speaker")
    return "random", {"labels": labels, **shared, "folds": FOLDS}


def _inputs(
    paper: str, network: str, system: Any, language: str
) -> tuple[dict[str, tuple[str, Any]], dict[str, Any]]:
    """What the network reads, by section, as its paper's recipe has it, and the rest of
    that recipe's experiment. Vectors that would have to be fetched are those of the
    training words.
    """
    recipe = recipes.of_own_corpus(paper)
    if recipe is None:
        raise ConfigurationError(
            f"{network} has no recipe for a corpus of its own: write the experiment to params.yaml"
        )
    stated = recipes.table_of(recipes.read(recipe), [network], None)
    (experiment,) = stated["experiments"].values()
    made: dict[str, tuple[str, Any]] = {}
    for section, reads in params.inputs_of(system).items():
        if not reads:
            continue
        item = experiment[section]
        made[section] = item, stated[section][item]
        if section == "alignment":
            aligner = "pocketsphinx" if language in ALIGNED else "uniform"
            made[section] = aligner, {"chain": {aligner: {}}}
        if section == "text" and "path" in stated[section][item] and not system.embeddings:
            made[section] = "word2vec", {"epochs": 100, "sample": 0}
    kept = ("max_words", "hyperparameters", "normalization", "training")
    return made, {key: experiment[key] for key in kept if key in experiment}
