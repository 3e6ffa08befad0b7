"""Stage evaluate: test probabilities meet their labels; the only place where they do."""

from __future__ import annotations

import pyarrow.parquet as pq

from pipeline import metrics
from pipeline import params as parameters
from pipeline.preparation import read_utterances
from stages.entry import DATA, MODELS, PARAMS, DataFolder, ModelsFolder, ParamsFile, console, run


def main(name: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA, models: ModelsFolder = MODELS) -> None:
    """Scores the experiment NAME: metrics.json, predictions.parquet, confusion.csv, per_fold.csv."""
    chosen = parameters.named(parameters.load(params_file), name)
    folds, classes = metrics.read_folds(models / name / "folds")
    labels = pq.read_table(data / "splits" / chosen.corpus / chosen.split / "labels.parquet").to_pylist()
    truth = {row["utterance_id"]: row["emotion"] for row in labels}
    utterances = read_utterances(data / "utterances" / chosen.corpus / "utterances.parquet")
    speakers = {item.utterance_id: item.speaker for item in utterances}
    evaluation = metrics.evaluate_experiment(folds, truth, classes, speakers)
    metrics.write(evaluation, models / name)
    scores = evaluation.metrics
    low, high = scores["ua_ci95"]["low"], scores["ua_ci95"]["high"]
    console.print(
        f"{name}: WA {scores['wa']:.3f}  UA {scores['ua']:.3f} [{low:.3f}, {high:.3f}]  "
        f"(best test epoch: WA {scores['test_selected']['wa']:.3f}  UA {scores['test_selected']['ua']:.3f})",
        highlight=False,
        markup=False,
    )


if __name__ == "__main__":
    run(main)
