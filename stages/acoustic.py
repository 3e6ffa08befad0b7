"""Stage acoustic: recordings -> shards of one acoustic feature."""

from __future__ import annotations

from pipeline import params as parameters
from pipeline.extraction import extract_corpus, padding_share
from pipeline.preparation import read_utterances
from pipeline.shards import Shards
from stages.entry import DATA, PARAMS, DataFolder, ParamsFile, account, run


def main(corpus: str, feature: str, params_file: ParamsFile = PARAMS, data: DataFolder = DATA) -> None:
    """Extracts FEATURE (a name under `acoustic` in params.yaml) of every utterance of CORPUS."""
    params = parameters.load(params_file)
    values = parameters.section(params, "acoustic", feature)
    utterances = read_utterances(data / "utterances" / corpus / "utterances.parquet")
    folder = data / "acoustic" / corpus / feature
    built = extract_corpus(utterances, feature, values, folder)
    shards = Shards(folder)
    lengths = [shards.length(utterance_id) for utterance_id in shards]
    lost = sum(shards.lost(utterance_id) for utterance_id in shards)
    metrics = {
        "frames": sum(lengths),
        "frames_lost_share": lost / max(1, sum(lengths) + lost),
        "padding_share": padding_share(lengths, shards.attributes["max_frames"]),
    }
    account(f"acoustic {corpus} {feature}", folder, len(utterances), built.used, built.rejections, metrics)


if __name__ == "__main__":
    run(main)
