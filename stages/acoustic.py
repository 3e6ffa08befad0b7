"""Stage acoustic: recordings -> shards of one acoustic feature."""

from pipeline import executor, folders, tables
from pipeline import params as parameters
from pipeline.acoustic import extract_corpus, padding_share
from pipeline.shards import Shards
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(
    corpus: str, feature: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA
) -> None:
    """Extracts FEATURE (a name under `acoustic` in params.yaml) of every utterance of
    CORPUS.
    """
    executor.choose(parameters.load_section(params_file, "engine"))
    config = parameters.load_entry(params_file, "acoustic", feature)
    utterances = tables.read_utterance_table(folders.utterances(data, corpus) / folders.UTTERANCES)
    folder = folders.acoustic(data, corpus, feature)
    built = extract_corpus(utterances, feature, config, folder, folders.seen(folder))
    shards = Shards(folder)
    lengths = [shards.length(utterance_id) for utterance_id in shards]
    lost = sum(shards.lost(utterance_id) for utterance_id in shards)
    metrics = {
        "frames": sum(lengths),
        "frames_lost_share": lost / max(1, sum(lengths) + lost),
        "padding_share": padding_share(lengths, shards.attributes["max_frames"]),
    }
    stage = f"acoustic {corpus} {feature}"
    account(stage, folder, len(utterances), built.used, built.rejections, metrics)


if __name__ == "__main__":
    executor.spare_pandas()
    run(main)
