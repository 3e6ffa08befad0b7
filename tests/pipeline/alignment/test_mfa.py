import csv
import json
import os
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from pipeline.alignment import _check as alignment_check
from pipeline.alignment import mfa
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Utterance, WordSpan


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


def test_the_corpus_folder_has_a_folder_a_speaker_with_16_khz_wav_and_words(
    speech, fake_mfa, tmp_path, monkeypatch
):
    program, _ = fake_mfa()
    utterances, _ = speech
    kept = {}
    run = mfa._run_align

    def keep(command, config, corpus, *rest):
        shutil.copytree(corpus, tmp_path / "kept")
        kept["corpus"] = tmp_path / "kept"
        return run(command, config, corpus, *rest)

    monkeypatch.setattr(mfa, "_run_align", keep)
    odd = replace(utterances[0], utterance_id="a/b c", words=("the", "tea-cup", "--", "o'clock"))
    align([odd, *utterances[1:]], program)
    folders = sorted(path.name for path in kept["corpus"].iterdir())
    assert len(folders) == len({u.speaker for u in utterances})
    sounds = sorted(kept["corpus"].rglob("*.wav"))
    assert len(sounds) == 3
    assert {soundfile.info(str(path)).samplerate for path in sounds} == {16000}
    texts = {path.with_suffix(".lab").read_text().strip() for path in sounds}
    assert "the tea cup o'clock" in texts


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
    with pytest.raises(ConfigurationError, match=r"exit code 2.*no_such_model.*expected"):
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


OUTPUT = os.environ.get("SERFLOW_MFA_OUTPUT")
real_output = pytest.mark.skipif(
    OUTPUT is None, reason="SERFLOW_MFA_OUTPUT names no folder of the program's output"
)


def read_folder(folder):
    """Spans of every file of a folder of real output, for the words of its .lab file."""
    root, answers = Path(OUTPUT or ""), {}
    sounds = {path.stem: path for path in root.glob("corpus/*/*.flac")}
    for path in sorted((root / folder).rglob("*")):
        if path.suffix not in (".TextGrid", ".csv", ".json") or path.stem not in sounds:
            continue
        beside = path.with_suffix(".lab")
        text = (beside if beside.is_file() else sounds[path.stem].with_suffix(".lab")).read_text()
        words = tuple(word for word in text.lower().split() if any(map(str.isalnum, word)))
        utterance = Utterance(path.stem, "mfa", "any", str(sounds[path.stem]), words=words)
        answers[path.stem] = mfa.read_output(
            path, utterance, soundfile.info(str(sounds[path.stem])).duration
        )
    return answers


@real_output
def test_real_output_against_the_truth():
    """Measured with the program: bias 9.6 ms, median 7 ms, 98 % within 50 ms."""
    truth: dict[str, list[WordSpan]] = {}
    incomplete = set()
    with Path(OUTPUT or "", "truth.csv").open() as file:
        for row in csv.DictReader(file):
            if not row["start"]:
                incomplete.add(row["utt"])
                continue
            start = float(row["start"])
            truth.setdefault(row["utt"], []).append(
                WordSpan(
                    row["utt"], int(row["idx"]), row["word"].lower(), start, start, None, "truth"
                )
            )
    truth = {name: spans for name, spans in truth.items() if name not in incomplete}
    errors = alignment_check.word_start_errors(read_folder("textgrids"), truth)
    assert errors["bias_ms"] == pytest.approx(9.6, abs=0.1)
    assert errors["median_ms"] == pytest.approx(7, abs=0.1)
    assert errors["within_50ms"] > 0.98


@real_output
def test_every_real_output_form_gives_the_same_words():
    forms = {
        f: read_folder(f"formats/{f}")
        for f in ("csv", "json", "short_textgrid", "no_textgrid_cleanup")
    }
    reference = forms.pop("short_textgrid")
    assert len(reference) == 5
    for form, answers in forms.items():
        for name, spans in reference.items():
            assert [s.word for s in answers[name]] == [s.word for s in spans], form
            assert [s.start for s in answers[name]] == pytest.approx(
                [s.start for s in spans], abs=1e-6
            )


@real_output
@pytest.mark.parametrize("folder", ["formats/oov", "formats/include_original_text"])
def test_real_output_with_unknown_words_and_punctuation_is_read(folder):
    assert len(read_folder(folder)["f1_000"]) == 9


def test_an_unreadable_answer_is_a_reason(tmp_path):
    broken = tmp_path / "u.TextGrid"
    broken.write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<exists>\n1\n"IntervalTier"\n"words"'
    )
    with pytest.raises(AlignmentError, match="unreadable"):
        mfa.read_output(broken, Utterance("u", "c", "e", words=("a",)), 1.0)
