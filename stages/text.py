"""Stage text: words -> vocabulary, word ids and vectors of one embedding."""

from pipeline import executor, folders, tables
from pipeline import params as parameters
from pipeline.text import embed_corpus
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(
    corpus: str, embedding: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA
) -> None:
    """Embeds the words of every utterance of CORPUS with EMBEDDING (a name under `text`
    in params.yaml).
    """
    executor.choose(parameters.load_section(params_file, "engine"))
    config = parameters.load_entry(params_file, "text", embedding)
    utterances = tables.read_utterances(folders.utterances(data, corpus) / folders.UTTERANCES)
    folder = folders.text(data, corpus, embedding)
    summary, rejections = embed_corpus(utterances, embedding, config, folder, folders.seen(folder))
    used = summary.pop("used")
    metrics = {name: value for name, value in summary.items() if name != "rejected"}
    account(f"text {corpus} {embedding}", folder, len(utterances), used, rejections, metrics)


if __name__ == "__main__":
    executor.spare_pandas()
    run(main)
