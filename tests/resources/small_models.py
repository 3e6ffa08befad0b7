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
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
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


def write_whisper(folder: Path) -> str:
    """A Whisper of one layer that knows English and German and few tokens; the
    folder.
    """
    from tokenizers.implementations import ByteLevelBPETokenizer

    folder.mkdir(parents=True, exist_ok=True)
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["kids are talking by the door " * 3], 300, 1)
    marks = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>"]
    marks += ["<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    marks += ["<|notimestamps|>", *(f"<|{number / 50:.2f}|>" for number in range(1501))]
    (folder / "bpe").mkdir()
    trained.save_model(str(folder / "bpe"))
    tokenizer = WhisperTokenizer(
        str(folder / "bpe" / "vocab.json"), str(folder / "bpe" / "merges.txt")
    )
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    ids = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in marks}
    torch.manual_seed(0)
    end = ids["<|endoftext|>"]
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=ids["<|startoftranscript|>"],
    )
    model = WhisperForConditionalGeneration(config)
    chosen = model.generation_config
    # Else it is made anew from config.json when the model is loaded.
    chosen._from_model_config = False
    chosen.begin_suppress_tokens = None
    chosen.is_multilingual = True
    chosen.lang_to_id = {mark: ids[mark] for mark in ("<|en|>", "<|de|>")}
    chosen.task_to_id = {name: ids[f"<|{name}|>"] for name in ("transcribe", "translate")}
    chosen.no_timestamps_token_id = ids["<|notimestamps|>"]
    chosen.prev_sot_token_id = ids["<|startofprev|>"]
    chosen.alignment_heads = [[0, 0], [0, 1]]
    chosen.max_initial_timestamp_index = 50
    model.save_pretrained(folder)
    return str(folder)
