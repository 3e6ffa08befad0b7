import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

from pipeline import lookup
from pipeline.alignment import _placement as placement
from pipeline.alignment import uniform
from pipeline.demo import synthesis
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Utterance, WordSpan
from tests.resources import aligners, fabricated, recordings

Answer = list[WordSpan] | AlignmentError


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)


def corpus(folder: Path, count: int = 6) -> list[Utterance]:
    return [
        Utterance(
            f"u{number}",
            "tiny",
            "sad",
            audio_path=str(recordings.write(folder / f"{number}.wav", seconds=0.8, seed=number)),
            words=("no", "not", "now"),
            speaker=f"s{number % 2}",
        )
        for number in range(count)
    ]


def with_aligner(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Utterance, Answer], Answer],
    calls: list[list[str]] | None = None,
) -> None:
    """The aligner `pocketsphinx` becomes `uniform` with every answer changed."""

    def align(utterances: Sequence[Utterance], config: object) -> Iterator[tuple[str, Answer]]:
        if calls is not None:
            calls.append([item.utterance_id for item in utterances])
        for item, (name, answer) in zip(
            utterances, uniform.align(utterances, uniform.Config()), strict=True
        ):
            yield name, change(item, answer)

    whole = lookup.component
    made = SimpleNamespace(
        __name__=uniform.__name__, Config=uniform.Config, align=align, WHOLE_CORPUS=False
    )
    monkeypatch.setattr(
        lookup,
        "component",
        lambda kind, name: made if name == "pocketsphinx" else whole(kind, name),
    )


def shifted(seconds: float) -> Callable[[Utterance, Answer], Answer]:
    def change(_: Utterance, answer: Answer) -> Answer:
        assert isinstance(answer, list)
        return [
            replace(span, start=span.start + seconds, end=span.end + seconds) for span in answer
        ]

    return change


def test_every_word_is_placed_and_everything_counted(tmp_path: Path) -> None:
    spans, rejections, metrics = aligners.align_corpus(corpus(tmp_path), {"uniform": None}, {}, 0.2)
    assert rejections == []
    assert [(span.utterance_id, span.word_index, span.word) for span in spans] == [
        (f"u{number}", index, word)
        for number in range(6)
        for index, word in enumerate(("no", "not", "now"))
    ]
    assert all(0 <= span.start < span.end <= 0.8 and span.aligner == "uniform" for span in spans)
    assert metrics["coverage"] == 1.0 and metrics["aligners"]["uniform"]["placed"] == 6


def test_used_and_rejected_add_up(tmp_path: Path) -> None:
    good = corpus(tmp_path)
    bad = [
        replace(good[0], utterance_id="text only", audio_path=None),
        replace(good[0], utterance_id="audio only", words=()),
        replace(good[0], utterance_id="gone", audio_path=str(tmp_path / "gone.wav")),
        replace(
            good[0],
            utterance_id="silent",
            audio_path=str(recordings.write_silent(tmp_path / "silent.wav")),
            speaker=None,
        ),
    ]
    spans, rejections, _ = aligners.align_corpus([*good, *bad], {"uniform": None}, {}, 0.5)
    assert {item.utterance_id: (item.stage, item.reason) for item in rejections} == {
        "text only": ("align", "no audio"),
        "audio only": ("align", "no words"),
        "gone": ("align", "audio not found"),
        "silent": ("align", "audio silent"),
    }
    assert {span.utterance_id for span in spans} == {item.utterance_id for item in good}


def test_a_corpus_of_text_or_of_voice_alone_stops_nobody(tmp_path: Path) -> None:
    for one_sided in (
        [replace(item, audio_path=None) for item in corpus(tmp_path)],
        [replace(item, words=()) for item in corpus(tmp_path)],
    ):
        spans, rejections, metrics = aligners.align_corpus(one_sided, {"uniform": None}, {}, 0.0)
        assert spans == [] and len(rejections) == 6 and metrics["coverage"] == 0.0


def test_too_many_without_a_place_stop_the_build_with_figures(tmp_path: Path) -> None:
    good = corpus(tmp_path, 3)
    gone = [
        replace(good[0], utterance_id=f"x{number}", audio_path=str(tmp_path / "gone.wav"))
        for number in range(2)
    ]
    with pytest.raises(ConfigurationError) as raised:
        aligners.align_corpus([*good, *gone], {"uniform": None}, {}, 0.3)
    message = str(raised.value)
    assert message.startswith("2 of 5 utterances were not aligned")
    assert message.endswith("more than 30%: mend what the reasons name or raise max_failed_share")
    assert "'audio not found': 2" in message and "\n" not in message
    assert aligners.align_corpus([*good, *gone], {"uniform": None}, {}, 0.4)[1]


def test_an_aligner_that_contradicts_the_audio_stops_the_build_with_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_aligner(monkeypatch, shifted(2.0))
    with pytest.raises(ConfigurationError) as raised:
        aligners.align_corpus(corpus(tmp_path), {"pocketsphinx": None, "uniform": None}, {}, 0.2)
    message = str(raised.value)
    assert re.match(
        r"pocketsphinx placed 6 of 6 utterances against their audio \(.*'first_start_bias_s': 2",
        message,
    )
    assert "more than 20%: use another aligner or raise max_failed_share" in message
    assert "\n" not in message


def test_a_few_that_contradict_the_audio_fall_to_the_next_visibly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(item: Utterance, answer: Answer) -> Answer:
        return shifted(2.0)(item, answer) if item.utterance_id == "u3" else answer

    with_aligner(monkeypatch, change)
    spans, rejections, metrics = aligners.align_corpus(
        corpus(tmp_path), {"pocketsphinx": None, "uniform": None}, {}, 0.2
    )
    assert rejections == [] and metrics["fallbacks"] == 1
    assert metrics["aligners"]["pocketsphinx"]["failures"] == {"implausible alignment": 1}
    assert max(span.end for span in spans if span.utterance_id == "u3") <= 0.8
    alone = aligners.align_corpus(corpus(tmp_path), {"pocketsphinx": None}, {}, 0.2)
    assert [(item.utterance_id, item.reason) for item in alone[1]] == [
        ("u3", "implausible alignment")
    ]


def test_an_alignment_of_some_of_the_words_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(item: Utterance, answer: Answer) -> Answer:
        assert isinstance(answer, list)
        return {"u1": answer[:-1], "u2": [*answer, answer[-1]], "u3": answer[::-1]}.get(
            item.utterance_id, answer
        )

    with_aligner(monkeypatch, change)
    spans, rejections, _ = aligners.align_corpus(corpus(tmp_path), {"pocketsphinx": None}, {}, 0.5)
    assert [(item.utterance_id, item.reason, item.detail) for item in rejections] == [
        ("u1", "partial alignment", "placed 2 of 3 words"),
        ("u2", "partial alignment", "placed 4 of 3 words"),
        ("u3", "partial alignment", "placed 3 of 3 words"),
    ]
    assert {span.utterance_id for span in spans} == {"u0", "u4", "u5"}


def test_a_word_outside_the_dictionary_is_rejected_where_nobody_may_guess_it(
    tmp_path: Path,
) -> None:
    """The real aligner on speech: the rest of the corpus goes on."""
    spoken = []
    for name, sentence in (("known", "the rain is late"), ("unknown", "the zorblix is late")):
        places = [(found.start(), found.end()) for found in re.finditer(r"\w+", sentence)]
        manner = synthesis.Manner("en-us+f3", words_per_minute=150)
        made = synthesis.speak(
            sentence, places, manner, sampling_rate=16000, padding=(0.3, 0.3), seed=0
        )
        soundfile.write(tmp_path / f"{name}.wav", made.waveform, 16000)
        words = tuple(sentence.split())
        spoken.append(Utterance(name, "tiny", "sad", str(tmp_path / f"{name}.wav"), words=words))
    chain = {"pocketsphinx": {"unknown_words": "reject"}}
    spans, rejections, _ = aligners.align_corpus(spoken, chain, {}, 0.5)
    assert [(item.utterance_id, item.reason) for item in rejections] == [
        ("unknown", "unknown word")
    ]
    assert [span.word for span in spans] == ["the", "rain", "is", "late"]


def test_a_speaker_is_aligned_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    with_aligner(monkeypatch, lambda _, answer: answer, calls)
    utterances = corpus(tmp_path)
    aligners.align_corpus(utterances[::-1], {"pocketsphinx": None}, {}, 0.2)
    assert calls == [["u0", "u2", "u4"], ["u1", "u3", "u5"]]
    calls.clear()
    monkeypatch.setattr(placement, "WITHOUT_SPEAKER", 4)
    aligners.align_corpus(
        [replace(item, speaker=None) for item in utterances], {"pocketsphinx": None}, {}, 0.2
    )
    assert calls == [["u0", "u1", "u2", "u3"], ["u4", "u5"]]


def test_times_that_came_with_the_corpus_are_the_truth(tmp_path: Path) -> None:
    utterances = []
    for number, item in enumerate(corpus(tmp_path, 2)):
        path = tmp_path / f"{number}.ctm"
        lines = [
            f"{item.utterance_id} 1 {index * 0.25:.2f} 0.20 {word}"
            for index, word in enumerate(item.words)
        ]
        path.write_text("\n".join(lines) + "\n")
        utterances.append(replace(item, alignment_path=str(path)))
    _, _, metrics = aligners.align_corpus(utterances, {"uniform": None}, {}, 0.2)
    assert metrics["against_given"]["n"] == 6 and metrics["against_given"]["median_ms"] >= 0
    spans, _, metrics = aligners.align_corpus(utterances, {"given": None}, {}, 0.2)
    assert "against_given" not in metrics
    assert [span.start for span in spans[:3]] == [0.0, 0.25, 0.5]


def test_one_recording_is_placed_or_says_why_not(tmp_path: Path) -> None:
    (item,) = corpus(tmp_path, 1)
    assert [span.word for span in placement.place_one(item, {"uniform": None}, {})] == [
        "no",
        "not",
        "now",
    ]
    with pytest.raises(AlignmentError, match="audio too short"):
        placement.place_one(replace(item, words=("no",) * 90), {"uniform": None}, {})


def test_a_models_description_never_says_which_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The description of a model that came from anywhere."""
    (item,) = corpus(tmp_path, 1)
    ran = tmp_path / "ran"
    settings = {
        "command": ["bash", "-c", f"touch {ran}"],
        "arguments": ["--config_path", str(tmp_path / "evil.yaml")],
        "work_folder": str(tmp_path / "elsewhere"),
    }
    program, calls = aligners.write_mfa(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}")
    spans = placement.place_one(item, {"mfa": settings | {"jobs": 1}}, {})
    assert [span.word for span in spans] == list(item.words) and spans[0].aligner == "mfa"
    (call,) = (json.loads(line) for line in calls.read_text().splitlines())
    assert call[call.index("--num_jobs") + 1] == "1" and "--config_path" not in call
    assert not ran.exists() and not (tmp_path / "elsewhere").exists()
    (line,) = caplog.messages
    assert line.startswith("alignment.mfa: command and arguments and work_folder of the model's")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no program 'mfa' on PATH"):
        placement.place_one(item, {"mfa": settings}, {})
    assert not ran.exists()


@pytest.mark.parametrize("value", ["../model.zip", "/srv/model.zip", "--help", "", ["a"]])
def test_a_models_description_names_no_files_to_a_program(tmp_path: Path, value: object) -> None:
    (item,) = corpus(tmp_path, 1)
    for setting in ("acoustic_model", "dictionary"):
        with pytest.raises(ConfigurationError, match=rf"alignment\.mfa: {setting} = .* plain name"):
            placement.place_one(item, {"mfa": {setting: value}}, {})


def test_external_aligners_leave_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(
        Config=uniform.Config, provenance=lambda config: {"version": "3.1", "model": "abc"}
    )
    monkeypatch.setattr(lookup, "component", lambda kind, name: made if name == "mfa" else uniform)
    assert placement.provenance({"mfa": None, "uniform": None}) == {
        "mfa.version": "3.1",
        "mfa.model": "abc",
    }
