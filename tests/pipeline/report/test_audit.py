import pytest

from pipeline.report import accounts, audit
from pipeline.report.experiments import experiments


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"speakers_known": False}, "unknown", "not known"),
        ({"recordings_train_test": 2}, "bad", "2 test recordings"),
    ],
)
def test_audit_sentences(workplace, change, state, words):
    models, data = workplace
    item = experiments(models)[0]
    stated = accounts.split_metrics(item, data)
    stated["verdict"] |= change
    assert any(found.state == state and words in found.text for found in audit.findings(stated))


@pytest.mark.parametrize(("lost", "words"), [("verdict", "not here"), ("allowed", "older")])
def test_metrics_of_another_version_are_no_verdict(workplace, lost, words):
    models, data = workplace
    stated = accounts.split_metrics(experiments(models)[0], data)
    del stated[lost]
    (found,) = audit.findings(stated)
    assert found.state == "unknown" and words in found.text


def test_an_alignment_that_cannot_be_right_is_bad_news(aligned):
    found = audit.alignment(aligned)
    assert [item.state for item in found] == ["good", "warn", "good", "good"]
    checked = aligned["aligners"]["pocketsphinx"] | {
        "check": {
            "failed": 90,
            "share_failed": 0.6,
            "first_start_median_s": 1.0,
            "first_start_within_100ms": 0.01,
        }
    }
    found = audit.alignment(aligned | {"aligners": {"mfa": checked}})
    assert [item.text for item in found if item.state == "bad"] == [
        "Against the audio: first words start 1000 ms (median) from the voice's onset, "
        "1 % within 100 ms; 90 utterances cannot be right."
    ]
    assert audit.alignment({}) == []
