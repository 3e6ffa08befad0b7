"""A params document that is right, for tests to change."""

from typing import Any

DOCUMENT: dict[str, Any] = {
    "corpora": {
        "manifest": {
            "root": "data/raw/mine",
            "reader": {"language": "de"},
            "tokens": {"lowercase": True},
        }
    },
    "acoustic": {
        "fbank": {"num_mel_bins": 40},
        "fbank-long": {"max_frames": 500},
        "waveform": {},
    },
    "alignment": {"either": {"chain": {"pocketsphinx": {}, "uniform": None}}},
    "text": {"word2vec": None, "one_hot": {}, "bert-token": {"pooling": "token"}},
    "splits": {"random-two": {"labels": {"angry": "angry", "sad": "sad"}}},
    "experiments": {
        "first": {
            "corpus": "manifest",
            "network": "FG_CME",
            "acoustic": "fbank",
            "alignment": "either",
            "text": "word2vec",
            "split": "random-two",
            "hyperparameters": {
                "hidden_size": 8,
                "channels": [4, 4],
                "kernel_sizes": (3, 2),
                "dropout": 1,
            },
            "training": {"epochs": 2},
        }
    },
    "inputs": {"manifest": {"acoustic": ["fbank-long"]}},
}

FIRST = DOCUMENT["experiments"]["first"]
WITHOUT_ALIGNMENT = {
    "corpus": "manifest",
    "acoustic": "fbank",
    "text": "word2vec",
    "split": "random-two",
}
