"""What every aligner promises, whichever it is."""

import csv
from dataclasses import replace

import pytest
from pydantic import ValidationError

from pipeline import lookup
from pipeline.schema import AlignmentError, WordSpan

ALIGNERS = lookup.names("alignment")


@pytest.fixture(scope="module")
def prepared(speech, ordinary_mfa, recogniser, tmp_path_factory):
    """A Config for every aligner, and the utterances with a file of word times beside
    them.
    """
    folder = tmp_path_factory.mktemp("prepared")
    utterances, truth = speech
    times = folder / "words.csv"
    with times.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["utterance_id", "word_index", "word", "start", "end"])
        for spans in truth.values():
            rows.writerows([s.utterance_id, s.word_index, s.word, s.start, s.end] for s in spans)
    configs = {
        "pocketsphinx": {},
        "given": {},
        "uniform": {},
        "mfa": {"command": ordinary_mfa},
        "ctc": {"model": recogniser},
    }
    modules = {name: lookup.component("alignment", name) for name in ALIGNERS}
    built = {name: lookup.configure(modules[name].Config, configs[name], name) for name in ALIGNERS}
    return modules, built, [replace(u, alignment_path=str(times)) for u in utterances], times


@pytest.mark.parametrize("name", ALIGNERS)
def test_good_utterances_get_all_their_words_in_order_inside_the_clip(name, prepared):
    modules, configs, utterances, _ = prepared
    answers = list(modules[name].align(utterances, configs[name]))
    assert [utterance_id for utterance_id, _ in answers] == [u.utterance_id for u in utterances]
    for utterance, (_, spans) in zip(utterances, answers, strict=True):
        assert not isinstance(spans, AlignmentError), spans
        assert all(isinstance(span, WordSpan) for span in spans)
        assert tuple(span.word for span in spans) == utterance.words
        assert [span.word_index for span in spans] == list(range(len(spans)))
        assert {span.aligner for span in spans} == {name}
        assert {span.utterance_id for span in spans} == {utterance.utterance_id}
        times = [time for span in spans for time in (span.start, span.end)]
        assert times == sorted(times)
        assert all(span.start < span.end for span in spans)
        assert times[0] >= 0
        assert times[-1] <= 6
        assert all(s.confidence is None or 0 <= s.confidence <= 1 for s in spans)


@pytest.mark.parametrize("name", ALIGNERS)
def test_bad_utterances_get_a_reason_and_leave_the_others_alone(name, prepared, bad):
    modules, configs, utterances, times = prepared
    mixed = [utterances[0], *(replace(u, alignment_path=str(times)) for u in bad), utterances[1]]
    answers = list(modules[name].align(mixed, configs[name]))
    assert [utterance_id for utterance_id, _ in answers] == [u.utterance_id for u in mixed]
    assert all(isinstance(answer, AlignmentError) and answer.reason for _, answer in answers[1:-1])
    alone = [
        next(iter(modules[name].align([u], configs[name]))) for u in (utterances[0], utterances[1])
    ]
    assert [answers[0], answers[-1]] == alone


@pytest.mark.parametrize("name", ALIGNERS)
def test_no_utterances_no_answers(name, prepared):
    modules, configs, *_ = prepared
    assert list(modules[name].align([], configs[name])) == []


@pytest.mark.parametrize("name", ALIGNERS)
def test_an_unknown_setting_is_refused(name):
    with pytest.raises(ValidationError):
        lookup.component("alignment", name).Config(no_such_setting=1)


def test_settings_that_no_model_may_state_are_settings():
    for name in ALIGNERS:
        module = lookup.component("alignment", name)
        stated = {*getattr(module, "LOCAL", ()), *getattr(module, "NAMES", ())}
        assert stated <= set(module.Config.__dataclass_fields__)
