"""The commands that show what was trained: results, explain, compare, table …"""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.commands import ending
from pipeline.lookup import ConfigurationError

app = typer.Typer()

ParamsFile = Annotated[Path, typer.Option("--params", help="The parameters file.")]
ModelsFolder = Annotated[
    Path, typer.Option("--models", help="Folder of trained models and metrics.")
]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder of the pipeline's data.")]
PARAMS, MODELS, DATA = Path("params.yaml"), Path("models"), Path("data")


@app.command(epilog="Example: serflow results")
def results(models: ModelsFolder = MODELS, data: DataFolder = DATA) -> None:
    """The table of all evaluated experiments, and where the report is."""
    from pipeline.report import terminal

    with ending.one_line():
        terminal.show(models, data)


@app.command(
    epilog="Example: serflow explain Ses01_impro01_F000 --model models/fg_cme-demo, "
    "or serflow explain clip.wav --text 'kids are talking by the door' --model models/fg_cme-demo"
)
def explain(
    utterance: Annotated[str, typer.Argument(help="Its utterance_id, or a new recording.")],
    model: Annotated[Path, typer.Option(help="models/<experiment>")],
    text: Annotated[str | None, typer.Option(help="What is said in a new recording.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the text: en, zh …; default: the model's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of a recording's page; default: explained/<name>.")
    ] = None,
    data: DataFolder = DATA,
) -> None:
    """How a system saw one utterance of its corpus, as JSON: words in time, class
    probabilities of the fold that tested it, and the network's own weights: attention,
    gates, alignment. Of a new recording by all folds, with a page to hear and look at.
    """
    from pipeline.audio import AudioError
    from pipeline.report import explanation
    from pipeline.schema import AlignmentError, TranscriptionError

    recording = Path(utterance)
    with ending.one_line(AudioError, AlignmentError, TranscriptionError):
        if recording.is_file():
            from pipeline.commands import explain as explaining

            place = out or Path("explained") / recording.stem
            found = explaining.explain(recording, text, model, language, place)
        elif text or language or out:
            raise ConfigurationError(
                f"{utterance} is no recording, and --text, --language and --out are for recordings"
            )
        else:
            found = explanation.explain(utterance, model, data)
    print(json.dumps(found, ensure_ascii=False, indent=1))


@app.command(epilog="Example: serflow systems fg_cme")
def systems(
    papers: Annotated[
        list[str] | None, typer.Argument(help="cbla, fg_cme, cma, pba, tsin; none: all.")
    ] = None,
    timed: Annotated[
        bool, typer.Option("--seconds", help="Measure a training step of each on this machine.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """What can be trained: each system with its paper, the inputs that it reads, the
    features of the published recipe, weights, and seconds of an epoch.
    """
    from pipeline.commands import systems as listing

    with ending.one_line():
        listing.show(list(listing.describe(papers or (), timed)), as_json)


@app.command(epilog="Example: serflow compare fg_cme-demo voice-demo --noninferior 1.0")
def compare(
    names: Annotated[list[str], typer.Argument(help="Two experiments or more.")],
    noninferior: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Also test whether the lower one is worse by less than so many points of UA.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    models: ModelsFolder = MODELS,
    data: DataFolder = DATA,
) -> None:
    """Whether experiments differ on the utterances that they tested: paired bootstrap
    over speakers, McNemar's test, Holm; and how many utterances would show it.
    """
    from pipeline.report import comparison

    with ending.one_line():
        comparison.show(comparison.compare(names, models, data, noninferior), as_json)


@app.command(
    epilog="Example: serflow table fg_cme --corpus ravdess --root /corpora/RAVDESS --seeds 0,1,2 "
    "--practice both"
)
def table(
    paper: Annotated[str, typer.Argument(help="cbla, fg_cme, cma, pba or tsin")],
    corpus: Annotated[
        str,
        typer.Option(help="What follows the paper in a recipe: demo, ravdess, iemocap-speaker …"),
    ],
    root: Annotated[str | None, typer.Option(help="Where the corpus lies.")] = None,
    systems: Annotated[
        str | None, typer.Option(help="Only these systems, separated by commas.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds, separated by commas.")] = None,
    practice: Annotated[
        Literal["honest", "published", "both"],
        typer.Option(
            help="honest: validation chooses the epoch; published: no validation, the last and the "
            "best test epoch, as the papers do; both: side by side."
        ),
    ] = "honest",
    build: Annotated[bool, typer.Option(help="Build what is missing with DVC first.")] = True,
    out: Annotated[
        Path, typer.Option(help="Folder for the table as Markdown, CSV and LaTeX.")
    ] = Path("tables"),
    params_file: ParamsFile = PARAMS,
    models: ModelsFolder = MODELS,
) -> None:
    """A paper's table: published figures beside ours with intervals, honestly or as the
    papers train.
    """
    from pipeline.commands import table as paper_tables

    with ending.one_line():
        chosen = systems.split(",") if systems else None
        if seeds and not all(seed.strip().isdigit() for seed in seeds.split(",")):
            raise ConfigurationError(
                f"--seeds {seeds!r}, expected whole numbers separated by commas, e.g. 0,1,2"
            )
        numbers = [int(seed) for seed in seeds.split(",")] if seeds else None
        paper_tables.regenerate(
            paper, corpus, root, chosen, numbers, practice, build, out, params_file, models
        )


@app.command(
    epilog="Example: serflow figures fg_cme --corpus ravdess --split random-four; "
    "serflow figures cbla draws those of the demo"
)
def figures(
    paper: Annotated[str, typer.Argument(help="cbla, fg_cme, cma, pba or tsin")],
    corpus: Annotated[
        str | None, typer.Option(help="The corpus of the experiments; default: the demo's.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Only experiments on this split; default: those with most.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for PNG, SVG and CSV.")] = Path("figures"),
    models: ModelsFolder = MODELS,
    data: DataFolder = DATA,
) -> None:
    """The figures that a paper shows, from evaluated experiments: what is missing is
    named with the command that makes it; exit code 1 when none could be drawn.
    """
    from pipeline.report import paper_figures

    with ending.one_line():
        chosen = corpus or paper_figures.demo_corpus(paper)
        origin = paper_figures.sources(paper, chosen, models, data, split)
        drawn = paper_figures.draw(origin, out)
    if not paper_figures.FIGURES[paper]:
        print(f"{paper} shows no figure of results beyond its tables: serflow table {paper}")
        return
    for picture in drawn.pictures:
        print(f"drawn: {picture} (and .svg, .csv)")
    for line in drawn.missing:
        Console(stderr=True, soft_wrap=True).print(
            f"[yellow]missing:[/] {escape(line)}", highlight=False
        )
    raise typer.Exit(0 if drawn.pictures else 1)
