"""Public resources: addresses, sizes, checksums, licences."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Resource:
    """A public file; `size` in bytes, `folder` below the data folder.

    `checksum` is "sha256:..." or "md5:...". It and `size` are None where not published.
    """

    address: str
    file: str
    folder: str
    size: int | None
    checksum: str | None
    unpacking: Literal["zip", "tar", "gzip"] | None
    licence: str


# Sources of the sizes and checksums: the Zenodo record (RAVDESS), the download tables
# of GluonNLP and Embeddings.jl (GloVe, GoogleNews), servers' answers quoted in public
# logs (EMO-DB, fastText en).
RESOURCES: dict[str, Resource] = {
    "glove-6b": Resource(
        "https://nlp.stanford.edu/data/glove.6B.zip",
        "glove.6B.zip",
        "vectors",
        862_182_613,
        "sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
        "zip",
        "PDDL 1.0",
    ),
    "glove-42b": Resource(
        "https://nlp.stanford.edu/data/glove.42B.300d.zip",
        "glove.42B.300d.zip",
        "vectors",
        1_877_800_501,
        "sha256:03d5d7fa28e58762ace4b85fb71fe86a345ef0b5ff39f5390c14869da0fc1970",
        "zip",
        "PDDL 1.0",
    ),
    "glove-840b": Resource(
        "https://nlp.stanford.edu/data/glove.840B.300d.zip",
        "glove.840B.300d.zip",
        "vectors",
        2_176_768_927,
        "sha256:c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f",
        "zip",
        "PDDL 1.0",
    ),
    "fasttext-en": Resource(
        "https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/cc.en.300.bin.gz",
        "cc.en.300.bin.gz",
        "vectors",
        4_503_593_528,
        None,
        "gzip",
        "CC BY-SA 3.0",
    ),
    "fasttext-zh": Resource(
        "https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/cc.zh.300.bin.gz",
        "cc.zh.300.bin.gz",
        "vectors",
        None,
        None,
        "gzip",
        "CC BY-SA 3.0",
    ),
    "googlenews": Resource(
        "https://huggingface.co/LoganKilpatrick/GoogleNews-vectors-negative300/resolve/main/"
        "GoogleNews-vectors-negative300.bin.gz",
        "GoogleNews-vectors-negative300.bin.gz",
        "vectors",
        1_647_046_227,
        "sha256:21c05ae916a67a4da59b1d006903355cced7de7da1e42bff9f0504198c748da8",
        None,
        "not stated by its authors",
    ),
    "baidu-stopwords": Resource(
        "https://raw.githubusercontent.com/goto456/stopwords/1de4e063cdc6b50d1b94392bcd2a5063b468b0be/baidu_stopwords.txt",
        "baidu_stopwords.txt",
        "stopwords",
        9_131,
        "sha256:b11ff810ee5c8934dc46b57f3a1ba85457e3893e89acdafb5cd286570fe793a3",
        None,
        "not stated by its collector",
    ),
    "ravdess": Resource(
        "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
        "Audio_Speech_Actors_01-24.zip",
        "raw/ravdess",
        208_468_073,
        "md5:bc696df654c87fed845eb13823edef8a",
        "zip",
        "CC BY-NC-SA 4.0",
    ),
    "emodb": Resource(
        "http://emodb.bilderbar.info/download/download.zip",
        "download.zip",
        "raw/emodb",
        40_567_066,
        None,
        "zip",
        "free for research",
    ),
}
