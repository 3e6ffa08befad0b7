import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from pipeline.alignment import _check as alignment_check
from pipeline.alignment import _mfa_files as files
from pipeline.schema import AlignmentError, Utterance, WordSpan


def test_the_corpus_has_a_folder_a_speaker_with_16_khz_wav_and_words(speech, bad, tmp_path):
    utterances, _ = speech
    odd = replace(utterances[0], utterance_id="a/b c", words=("the", "tea-cup", "--", "o'clock"))
    names, failed = files.write_corpus([odd, bad[0], *utterances[1:]], tmp_path / "corpus")
    assert names == {0: "s00000/u0000000", 2: "s00001/u0000002", 3: "s00000/u0000003"}
    assert {position: error.reason for position, error in failed.items()} == {1: "audio silent"}
    written = {path.relative_to(tmp_path / "corpus") for path in tmp_path.rglob("u*.*")}
    assert written == {Path(name + end) for name in names.values() for end in (".wav", ".lab")}
    for name in names.values():
        assert soundfile.info(str(tmp_path / "corpus" / f"{name}.wav")).samplerate == 16000
    text = (tmp_path / "corpus" / "s00000" / "u0000000.lab").read_text()
    assert text == "the tea cup o'clock\n"


def test_an_unreadable_answer_is_a_reason(tmp_path):
    broken = tmp_path / "u.TextGrid"
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<exists>\n1\n'
    broken.write_text(head + '"IntervalTier"\n"words"')
    with pytest.raises(AlignmentError, match="unreadable"):
        files.read(broken, Utterance("u", "c", "e", words=("a",)))


OUTPUT = os.environ.get("SERFLOW_MFA_OUTPUT")
real_output = pytest.mark.skipif(
    OUTPUT is None, reason="SERFLOW_MFA_OUTPUT names no folder of the program's output"
)


def read_folder(folder):
    """Spans of every file in a folder of real output, for the words of its .lab."""
    root, answers = Path(OUTPUT or ""), {}
    sounds = {path.stem: path for path in root.glob("corpus/*/*.flac")}
    for path in sorted((root / folder).rglob("*")):
        if path.suffix not in (".TextGrid", ".csv", ".json") or path.stem not in sounds:
            continue
        beside = path.with_suffix(".lab")
        text = (beside if beside.is_file() else sounds[path.stem].with_suffix(".lab")).read_text()
        words = tuple(word for word in text.lower().split() if any(map(str.isalnum, word)))
        utterance = Utterance(path.stem, "mfa", "any", str(sounds[path.stem]), words=words)
        answers[path.stem] = files.read(path, utterance)
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
