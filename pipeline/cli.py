"""The `serflow` command."""

import sys

from pipeline.commands import ending

# Not where a program or a test imports the command; before the imports that take time.
if sys.argv[0].endswith("serflow"):
    ending.install()

# isort: split
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from pipeline.audio import AudioError
from pipeline.commands import results, starting
from pipeline.commands.fetch import FetchError
from pipeline.commands.results import DATA, MODELS, PARAMS, DataFolder, ModelsFolder, ParamsFile
from pipeline.schema import AlignmentError, TranscriptionError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Speech emotion recognition from recordings to reproducible results. "
    "`dvc repro` builds it all.",
)
corpus_app = typer.Typer(
    no_args_is_help=True, help="Corpora: what is there, and whether it is fit to train on."
)
app.add_typer(corpus_app, name="corpus")
app.add_typer(results.app)
app.add_typer(starting.app)


@app.command(
    epilog="Example: serflow predict interviews/ --out answers.parquet, "
    "or serflow predict clip.wav --text 'kids are talking by the door'"
)
def predict(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings or videos, folders, or a table with audio_path."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="What is said; a recogniser writes it down if not.")
    ] = None,
    model: Annotated[Path, typer.Option(help="models/<experiment>")] = Path("models/fg_cme-demo"),
    language: Annotated[
        str | None, typer.Option(help="Language of the words: en, zh …; default: the model's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="CSV or parquet for several; default: predictions.csv.")
    ] = None,
    transcription: Annotated[
        str | None, typer.Option(help="A recogniser, NAME or NAME=MODEL: whisper, ctc …")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    longest: Annotated[
        float, typer.Option(help="Seconds; longer recordings are cut at pauses.")
    ] = 15.0,
) -> None:
    """Probabilities of each emotion for recordings; hears, aligns and embeds by itself.
    A stopped or repeated command answers what is new.
    """
    from pipeline.commands import predict_command

    with _one_line():
        predict_command.run(
            sources or [], text, model, language, as_json, out, transcription, device, longest
        )


@app.command(epilog="Example: serflow export fg_cme-demo /tmp/fg_cme")
def export(
    experiment: Annotated[str, typer.Argument(help="An evaluated experiment.")],
    folder: Annotated[Path, typer.Argument(help="A new folder for the model.")],
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train one network on everything, instead of the folds'."),
    ] = False,
    models: ModelsFolder = MODELS,
    data: DataFolder = DATA,
) -> None:
    """A trained model as one folder for another machine: networks, the vectors that
    they need, hashes, and a card that says what it is and is not; `serflow predict
    --model FOLDER` uses it.
    """
    from pipeline.commands import export as exporting

    with _one_line():
        card = exporting.export(experiment, folder, models, data, refit)
    print(f"{folder}: {card} says what it is")


@app.command(epilog="Example: serflow features clip.wav --feature short_term --set deltas=true")
def features(
    recording: Annotated[Path, typer.Argument(help="A recording.", exists=True)],
    feature: Annotated[str, typer.Option(help="short_term, mfcc, fbank …")] = "short_term",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, as in params.yaml.")
    ] = None,
) -> None:
    """The features of one recording as CSV: a line for each frame, by its time."""
    from pipeline.commands import one_recording

    with _one_line():
        values = one_recording.settings(settings or ())
        print(one_recording.features(recording, feature, values).to_csv(), end="")


@app.command(epilog="Example: serflow align clip.wav 'kids are talking by the door'")
def align(
    recording: Annotated[Path, typer.Argument(help="A recording.", exists=True)],
    text: Annotated[str, typer.Argument(help="What is said.")],
    language: Annotated[str, typer.Option(help="Of the text: en, zh, de …")] = "en",
    aligner: Annotated[
        list[str] | None, typer.Option(help="One or more, each tried when the one before fails.")
    ] = None,
) -> None:
    """Where the words of one recording lie, as CSV: word, start and end in seconds."""
    from pipeline.commands import one_recording

    with _one_line():
        chain: dict[str, None] = dict.fromkeys(aligner or ("pocketsphinx",))
        placed = one_recording.align(recording, text, language, chain)
        print(placed.to_csv(index=False), end="")


@app.command(epilog="Example: serflow doctor")
def doctor(
    params_file: ParamsFile = PARAMS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    engine: Annotated[str, typer.Option(help="Address of a Dask scheduler to look at.")] = "",
) -> None:
    """Versions, devices, optional tools, corpora: what is there, what is missing, and
    the command that gets it.
    """
    from pipeline.commands import doctor as examination

    with _one_line():
        sound = examination.show(list(examination.examine(params_file, engine)), as_json)
    raise typer.Exit(int(not sound))


@app.command(epilog="Example: serflow verify --sample 50 acoustic/demo/fbank")
def verify(
    outputs: Annotated[
        list[str] | None, typer.Argument(help="Folders below data/; none: all of params.yaml.")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="Utterances of each output that are made again.")
    ] = 10,
    everything: Annotated[bool, typer.Option("--all", help="Make every utterance again.")] = False,
    seed: Annotated[int, typer.Option(help="Chooses the utterances.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    params_file: ParamsFile = PARAMS,
    data: DataFolder = DATA,
) -> None:
    """Makes a sample of features, vectors and word times again and compares; checks
    every hash, index and key. Exit code 1 where something is stale, damaged or differs.
    """
    from pipeline.commands import verify as verification

    with _one_line():
        size = None if everything else sample
        found = verification.verify(params_file, data, outputs or (), size, seed)
        sound = verification.show(found, as_json)
    raise typer.Exit(int(not sound))


@app.command(epilog="Example: serflow ahead fg_cme-demo cma-demo && dvc repro")
def ahead(
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Experiments of params.yaml; default: everything.")
    ] = None,
    params_file: ParamsFile = PARAMS,
) -> None:
    """Builds what `dvc repro` would, many stages at a time, on all cores or the cluster
    of params.yaml; `dvc repro` then finds it done.
    """
    from pipeline import params as parameters
    from pipeline.commands import ahead as course

    with _one_line():
        params = parameters.load(params_file)
        for name in experiments or ():
            parameters.entry(params, "experiments", name)
        done = course.work([f"evaluate@{name}" for name in experiments or ()], params.engine)
    print(f"ahead: {len(done)} stages were run, the others are up to date", file=sys.stderr)


@app.command(epilog="Example: serflow sync")
def sync(
    params_file: ParamsFile = PARAMS,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if something is old.")
    ] = False,
) -> None:
    """Writes build.yaml and the deps of dvc.yaml, from params.yaml and the imports."""
    from pipeline import params
    from pipeline.commands import sync as syncing

    with _one_line():
        changed = syncing.sync(params_file, params.load(params_file), write=not check)
    for path in changed:
        print(f"{'old' if check else 'written'}: {path}")
    if changed and check:
        raise typer.Exit(1)
    if not changed:
        print("nothing to write: build.yaml and dvc.yaml are in step")


@app.command(epilog="Example: serflow fetch glove-6b")
def fetch(
    name: Annotated[str | None, typer.Argument(help="A resource; none lists them.")] = None,
    to: Annotated[Path, typer.Option(help="The pipeline's data folder.")] = Path("data"),
) -> None:
    """Downloads a public resource: resumable, verified, unpacked safely."""
    from pipeline.commands import fetch as fetching

    with _one_line():
        if name is None:
            fetching.show()
        else:
            fetching.fetch(name, to)


@corpus_app.command(epilog="Example: serflow corpus check demo")
def check(
    name: Annotated[
        str, typer.Argument(help="A name under `corpora` in params.yaml, or a corpus module.")
    ],
    root: Annotated[
        str | None, typer.Option(help="Where the corpus lies; default: params.yaml's.")
    ] = None,
    params_file: ParamsFile = PARAMS,
) -> None:
    """Counts against the published totals, missing and suspicious files; exit code 1
    when training would be wrong.
    """
    from pipeline.commands import corpus as corpus_inspection

    with _one_line():
        fit = corpus_inspection.inspect(name, root, params_file)
    raise typer.Exit(0 if fit else 1)


def _one_line() -> AbstractContextManager[None]:
    return ending.one_line(AudioError, AlignmentError, TranscriptionError, FetchError)
