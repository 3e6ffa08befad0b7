"""Stage evaluate: test probabilities meet their labels, here and nowhere else."""

from pathlib import Path
from typing import Any

from pipeline import folders
from pipeline import params as parameters
from pipeline.evaluation import metrics
from pipeline.evaluation.probabilities import read_folds
from pipeline.tables import read_rejections, read_table
from stages.entry import DATA, MODELS, PARAMS, DataFolder, ModelsFolder, ParamsFile, console, run


def main(
    name: str,
    params_file: ParamsFile = PARAMS,
    data: DataFolder = DATA,
    models: ModelsFolder = MODELS,
) -> None:
    """Scores the experiment NAME: metrics.json, details.json, predictions.parquet,
    confusion.csv, per_fold.csv.
    """
    chosen = parameters.load_entry(params_file, "experiments", name)
    folds, classes = read_folds(folders.trained(models, name))
    split = folders.split(data, chosen.corpus, chosen.split)
    corpus = folders.utterances(data, chosen.corpus)
    truth = _by_utterance(split / folders.LABELS, "emotion")
    speakers = _by_utterance(corpus / folders.UTTERANCES, "speaker")
    filled = read_rejections(folders.trained(models, name) / folders.FILLED)
    fed = {item.utterance_id for item in filled}
    evaluation = metrics.evaluate_experiment(folds, truth, classes, speakers, fed)
    folders.remove_unfinished(models / name)
    metrics.write(evaluation, models / name)
    scores = evaluation.metrics
    low, high = scores["ua_ci95"]["low"], scores["ua_ci95"]["high"]
    best = scores["test_selected"]
    line = f"{name}: WA {scores['wa']:.3f}  UA {scores['ua']:.3f} [{low:.3f}, {high:.3f}]"
    line += f"  (best test epoch: WA {best['wa']:.3f}  UA {best['ua']:.3f})"
    console.print(line, highlight=False, markup=False)


def _by_utterance(path: Path, column: str) -> dict[str, Any]:
    values = read_table(path, ["utterance_id", column])
    return dict(zip(*(part.to_pylist() for part in values.columns), strict=True))


if __name__ == "__main__":
    run(main)
