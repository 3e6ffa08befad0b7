import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline import lookup
from pipeline.alignment import mfa
from pipeline.lookup import ConfigurationError


def align(utterances, program, **settings):
    return dict(mfa.align(utterances, mfa.Config(command=program, **settings)))


def calls(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("output", ["textgrid", "csv", "json"])
def test_one_run_serves_the_whole_corpus_in_every_output_form(speech, fake_mfa, output):
    program, log = fake_mfa()
    utterances, _ = speech
    answers = align(utterances, program, output=output, jobs=3, arguments=("--single_speaker",))
    assert list(answers) == [u.utterance_id for u in utterances]
    for utterance in utterances:
        assert tuple(s.word for s in answers[utterance.utterance_id]) == utterance.words
        assert answers[utterance.utterance_id][0].start == pytest.approx(0.1)
    (call,) = calls(log)
    assert call[0] == "align"
    assert call[2:4] == ["english_us_arpa", "english_us_arpa"]
    assert call[call.index("--num_jobs") + 1] == "3"
    assert "--clean" in call and "--single_speaker" in call


def test_a_file_left_out_is_tried_again_with_wide_beams(speech, fake_mfa):
    program, log = fake_mfa(wide_beam_only=["dinner"])
    answers = align(speech[0], program)
    assert all(isinstance(answer, list) for answer in answers.values())
    first, second = calls(log)
    assert "--beam" not in first
    assert second[second.index("--beam") + 1] == "100"
    assert second[second.index("--retry_beam") + 1] == "400"


def test_a_file_left_out_for_good_is_a_reason_and_the_others_stay(speech, fake_mfa):
    program, log = fake_mfa(never=["dinner"], exit_one=True)
    answers = align(speech[0], program)
    assert answers["two"].reason == "no alignment"
    assert isinstance(answers["one"], list) and isinstance(answers["three"], list)
    assert len(calls(log)) == 2
    log.write_text("")
    align(speech[0], program, retry_failed=False)
    assert len(calls(log)) == 1


def test_bad_audio_never_reaches_the_program(speech, bad, fake_mfa):
    program, log = fake_mfa()
    answers = align([u for u in bad if u.utterance_id != "short"], program)
    assert {answer.reason for answer in answers.values()} >= {
        "audio silent",
        "audio unreadable",
        "empty transcript",
    }
    assert calls(log) == []


def test_a_missing_program_is_a_mistake_that_names_the_install_command(speech):
    with pytest.raises(
        ConfigurationError, match=r"no program .*conda create .*montreal-forced-aligner"
    ):
        align(speech[0], "no-such-program-here run mfa")


def test_a_refused_model_and_a_crash_stop_with_the_programs_words(speech, fake_mfa):
    program, _ = fake_mfa()
    with pytest.raises(ConfigurationError, match=r"exit code 2.*no_such_model.*mfa model list"):
        align(speech[0], program, acoustic_model="no_such_model")
    program, _ = fake_mfa(abort=True)
    with pytest.raises(ConfigurationError, match=r"exit code 1.*it went wrong"):
        align(speech[0], program)


def test_a_command_of_several_words_is_a_string_or_a_list(speech, fake_mfa):
    program, _ = fake_mfa()
    for command in (f"env LANG=C {program}", ("env", "LANG=C", program)):
        assert isinstance(align(speech[0][:1], command)["one"], list)


def test_training_uses_the_dictionary_written_beside_the_model(speech, fake_mfa, tmp_path):
    program, log = fake_mfa()
    dictionary = tmp_path / "own.dict"
    dictionary.write_text("the DH AH0\n")
    align(speech[0], program, train=True, dictionary=str(dictionary))
    train, run = calls(log)
    assert train[0] == "train"
    assert train[2] == str(dictionary)
    assert run[3] == train[3]
    assert Path(run[2]).name == "english.dict"


def test_tokens_cut_or_cased_otherwise_come_back_as_our_words(speech, fake_mfa):
    program, _ = fake_mfa(tokens={"dinner": ["<unk>"], "almost": ["Al", "most"], "my": ["my,"]})
    spans = align(speech[0], program)["two"]
    assert tuple(s.word for s in spans) == speech[0][1].words
    program, _ = fake_mfa(tokens={"dinner": ["supper"]})
    assert align(speech[0], program)["two"].reason == "words differ"


def test_mandarin_words_are_matched_by_character(speech, fake_mfa):
    program, _ = fake_mfa(tokens={"我们": ["我", "们"], "今天": ["今天吃"], "吃饭": ["饭"]})
    mandarin = replace(speech[0][0], language="zh", words=("我们", "今天", "吃饭"))
    spans = align([mandarin], program)["one"]
    assert [s.word for s in spans] == ["我们", "今天", "吃饭"]
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(spans))


def test_provenance_records_version_and_model_hashes(fake_mfa, tmp_path, monkeypatch):
    program, _ = fake_mfa()
    monkeypatch.setenv("MFA_ROOT_DIR", str(tmp_path))
    models = tmp_path / "pretrained_models" / "acoustic"
    models.mkdir(parents=True)
    (models / "english_us_arpa.zip").write_bytes(b"abc")
    known = mfa.provenance(mfa.Config(command=program))
    assert known["version"] == "3.4.3"
    assert (
        known["acoustic_model_sha256"]
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert known["dictionary_sha256"] == "unknown"


@pytest.mark.parametrize("setting", ["dictionary", "acoustic_model"])
def test_a_model_name_that_the_program_takes_for_an_option_is_refused(setting):
    with pytest.raises(ConfigurationError, match=rf"alignment\.mfa: {setting} = '--config_path=x'"):
        lookup.configure(mfa.Config, {setting: "--config_path=x"}, "alignment.mfa")
