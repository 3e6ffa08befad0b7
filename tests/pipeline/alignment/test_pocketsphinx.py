import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.alignment import _check as alignment_check
from pipeline.alignment import pocketsphinx
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Utterance

CONFIG = pocketsphinx.Config()


def align(utterances, config=CONFIG):
    return dict(pocketsphinx.align(utterances, config))


def test_word_starts_are_near_the_truth(speech):
    utterances, truth = speech
    errors = alignment_check.word_start_errors(align(utterances), truth)
    assert errors["n"] == sum(len(u.words) for u in utterances)
    assert errors["median_ms"] < 20
    assert errors["within_50ms"] > 0.9


def test_an_utterance_gets_the_same_spans_alone_and_in_any_company(speech):
    """The decoder is shared, and its front end would carry state from one clip to the
    next.
    """
    utterances, _ = speech
    loud = replace(
        utterances[0], utterance_id="unknown", words=("zorblix", *utterances[0].words[1:])
    )
    company = [*utterances, loud]
    forwards, backwards = align(company), align(company[::-1])
    pocketsphinx._decoder.cache_clear()
    for utterance in company:
        alone = align([utterance])[utterance.utterance_id]
        assert forwards[utterance.utterance_id] == backwards[utterance.utterance_id] == alone


def test_a_word_outside_the_dictionary_is_pronounced_or_refused(speech):
    utterances, truth = speech
    # 'yesterday' spelt as nobody does: the rules still say it as it sounds.
    unknown = replace(utterances[0], words=(*utterances[0].words[:-1], "yesturday"))
    spans = align([unknown])["one"]
    assert spans[-1].word == "yesturday"
    assert abs(spans[-1].start - truth["one"][-1].start) < 0.06
    refused = align([unknown], pocketsphinx.Config(unknown_words="reject"))["one"]
    assert isinstance(refused, AlignmentError)
    assert refused.reason == "unknown word"
    assert "yesturday" in refused.detail


def test_a_given_dictionary_comes_before_the_rules(speech, tmp_path):
    utterances, truth = speech
    file = tmp_path / "extra.dict"
    file.write_text("xqz Y EH1 S T ER0 D EY2\nxqz(2) Y EH1 S T ER0 D IY2\n")
    named = replace(utterances[0], words=(*utterances[0].words[:-1], "xqz"))
    spans = align([named], pocketsphinx.Config(dictionary=str(file), unknown_words="reject"))["one"]
    assert abs(spans[-1].start - truth["one"][-1].start) < 0.05
    with pytest.raises(ConfigurationError, match=r"no dictionary at .*none\.dict"):
        align([named], pocketsphinx.Config(dictionary=str(tmp_path / "none.dict")))


def test_words_that_the_decoder_reads_as_marks_are_still_words(speech):
    utterances, _ = speech
    marks = replace(utterances[0], words=("the(2)", "<sil>", "[noise]", *utterances[0].words[1:]))
    answer = align([marks])["one"]
    if isinstance(answer, AlignmentError):
        assert answer.reason in ("unknown word", "partial alignment")
    else:
        assert tuple(span.word for span in answer) == marks.words


def test_a_search_that_loses_words_is_retried_and_else_reported(speech):
    utterances, _ = speech
    narrow = {"beam": 1e-3, "phone_beam": 1e-3, "word_beam": 1e-3}
    lost = align(utterances, pocketsphinx.Config(**narrow, retries=0))
    assert {answer.reason for answer in lost.values()} == {"partial alignment"}
    assert all(f"of {len(u.words)} words" in lost[u.utterance_id].detail for u in utterances)
    found, usual = align(utterances, pocketsphinx.Config(**narrow, retries=1)), align(utterances)
    assert alignment_check.word_start_errors(found, usual)["p95_ms"] <= 20


def test_a_narrow_search_comes_first_and_a_wide_one_where_it_loses_words(speech, monkeypatch):
    decoder, tried = pocketsphinx._decoder, []

    def noted(setting):
        tried.append(setting.beam)
        return decoder(setting)

    def times(**settings):
        tried.clear()
        (spans,) = align(speech[0][:1], pocketsphinx.Config(**settings)).values()
        return [(span.word, span.start, span.end) for span in spans]

    monkeypatch.setattr(pocketsphinx, "_decoder", noted)
    usual = times()
    assert tried == [1e-40]
    assert times(first_beam=1e-3, retries=0) == usual and tried == [1e-3, 1e-120]
    assert times(first_beam=0) == usual and tried == [1e-120]


def test_letters_of_another_script_and_other_languages_are_refused(speech):
    utterances, _ = speech
    assert align([replace(utterances[0], words=("你好",))])["one"].reason == "unknown word"
    assert align([replace(utterances[0], language="zh")])["one"].reason == "unsupported language"


def test_words_that_do_not_fit_into_the_clip_are_reported_not_used(speech, tmp_path):
    utterances, _ = speech
    waveform, rate = soundfile.read(utterances[0].audio_path)
    cut = tmp_path / "cut.wav"
    soundfile.write(cut, waveform[: int(0.45 * rate)], rate)
    answer = align([replace(utterances[0], audio_path=str(cut))])["one"]
    assert isinstance(answer, AlignmentError)
    assert answer.reason in ("partial alignment", "word outside the recording")


def test_loudness_and_sampling_rate_move_words_little(speech, tmp_path):
    utterances, _ = speech
    waveform, rate = soundfile.read(utterances[1].audio_path)
    quiet = tmp_path / "quiet.flac"
    soundfile.write(quiet, np.repeat(0.05 * waveform, 3), 3 * rate)
    changed = align([replace(utterances[1], audio_path=str(quiet))])["two"]
    same = align([utterances[1]])["two"]
    assert np.median([abs(a.start - b.start) for a, b in zip(changed, same, strict=True)]) <= 0.02


@pytest.mark.skipif(
    "SERFLOW_RAVDESS" not in os.environ, reason="SERFLOW_RAVDESS names no RAVDESS folder"
)
def test_real_clips_are_placed_and_mostly_agree_with_the_voice():
    statements = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}
    files = sorted(
        path
        for suffix in ("wav", "flac")
        for path in Path(os.environ["SERFLOW_RAVDESS"]).glob(f"Actor_*/03-01-*.{suffix}")
    )[::8]
    assert files, "no Actor_*/03-01-* below SERFLOW_RAVDESS"
    utterances = [
        Utterance(
            f.stem, "ravdess", "any", str(f), words=tuple(statements[f.stem.split("-")[4]].split())
        )
        for f in files
    ]
    answers = align(utterances)
    placed = [a for a in answers.values() if not isinstance(a, AlignmentError)]
    assert len(placed) >= 0.99 * len(files)
