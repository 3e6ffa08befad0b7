"""Stage text: words -> vocabulary, word ids and vectors of one embedding."""

from __future__ import annotations

from pipeline import params as parameters
from pipeline.embedding import embed_corpus
from pipeline.preparation import read_utterances
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(corpus: str, embedding: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Embeds the words of every utterance of CORPUS with EMBEDDING (a name under `text` in params.yaml)."""
    params = parameters.load(params_file)
    values = parameters.section(params, "text", embedding)
    utterances = read_utterances(data / "utterances" / corpus / "utterances.parquet")
    folder = data / "text" / corpus / embedding
    summary, rejections = embed_corpus(utterances, embedding, values, folder)
    metrics = {name: value for name, value in summary.items() if name not in ("used", "rejected")}
    account(f"text {corpus} {embedding}", folder, len(utterances), summary["used"], rejections, metrics)


if __name__ == "__main__":
    run(main)
