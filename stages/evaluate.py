"""Stage evaluate: test probabilities meet their labels, here and nowhere else."""

from pipeline import folders
from pipeline import params as parameters
from pipeline.evaluation import metrics
from pipeline.evaluation.probabilities import read_folds
from pipeline.tables import read_rejections, read_table, read_utterances, remove_unfinished
from stages.entry import DATA, MODELS, PARAMS, DataFolder, ModelsFolder, ParamsFile, console, run


def main(
    name: str,
    params_file: ParamsFile = PARAMS,
    data: DataFolder = DATA,
    models: ModelsFolder = MODELS,
) -> None:
    """Scores the experiment NAME: metrics.json, predictions.parquet, confusion.csv,
    per_fold.csv.
    """
    chosen = parameters.load_entry(params_file, "experiments", name)
    folds, classes = read_folds(folders.trained(models, name))
    split = folders.split(data, chosen.corpus, chosen.split)
    labels = read_table(split / folders.LABELS, ["utterance_id", "emotion"]).to_pylist()
    truth = {row["utterance_id"]: row["emotion"] for row in labels}
    corpus = folders.utterances(data, chosen.corpus)
    utterances = read_utterances(corpus / folders.UTTERANCES)
    speakers = {item.utterance_id: item.speaker for item in utterances}
    filled = read_rejections(folders.trained(models, name) / folders.FILLED)
    fed = {item.utterance_id for item in filled}
    evaluation = metrics.evaluate_experiment(folds, truth, classes, speakers, fed)
    remove_unfinished(models / name)
    metrics.write(evaluation, models / name)
    scores = evaluation.metrics
    low, high = scores["ua_ci95"]["low"], scores["ua_ci95"]["high"]
    best = scores["test_selected"]
    line = f"{name}: WA {scores['wa']:.3f}  UA {scores['ua']:.3f} [{low:.3f}, {high:.3f}]"
    line += f"  (best test epoch: WA {best['wa']:.3f}  UA {best['ua']:.3f})"
    console.print(line, highlight=False, markup=False)


if __name__ == "__main__":
    run(main)
