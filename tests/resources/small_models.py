"""Transformers models with random weights, as small as they come, in the layout of the
hub: nothing is downloaded.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    HubertConfig,
    HubertModel,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

SPEECH = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
SPEECH_ENCODERS = {
    "hubert": (HubertConfig, HubertModel),
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "wavlm": (WavLMConfig, WavLMModel),
}


def write_speech_encoder(
    folder: Path, kind: str = "wav2vec2", normalise: bool = True, **settings: Any
) -> str:
    """One of SPEECH_ENCODERS, two layers of 16 units; the folder."""
    configuration, model = SPEECH_ENCODERS[kind]
    torch.manual_seed(0)
    model(configuration(num_hidden_layers=2, **SPEECH, **settings)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return str(folder)


def write_recogniser(folder: Path) -> str:
    """A letter-level CTC model; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    Wav2Vec2CTCTokenizer(str(vocabulary)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    torch.manual_seed(0)
    config = Wav2Vec2Config(num_hidden_layers=1, vocab_size=len(tokens), pad_token_id=0, **SPEECH)
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    return str(folder)


def write_text_encoder(
    folder: Path, words: Iterable[str], max_tokens: int = 20, hidden_size: int = 16
) -> str:
    """A byte-level encoder of two layers whose tokens come from `words`; the folder."""
    from tokenizers.implementations import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator([" ".join(words)] * 3, 300, 1, special_tokens=marks)
    (folder / "bpe").mkdir(parents=True)
    trained.save_model(str(folder / "bpe"))
    tokenizer = RobertaTokenizerFast.from_pretrained(
        str(folder / "bpe"), model_max_length=max_tokens
    )
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=max_tokens + 2,
        pad_token_id=1,
    )
    RobertaModel(config).save_pretrained(str(folder))
    return str(folder)
