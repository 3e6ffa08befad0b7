from pipeline.corpora import _totals as totals
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.schema import Rejection, Utterance

PUBLISHED = Totals(
    part="session",
    parts=("1", "2"),
    counts=(
        Count("utterances", 4),
        *per_value("session", {"1": 2, "2": 2}),
        Count("angry or sad", 3, {"emotion": ("angry", "sad")}),
        Count("angry, session 1", 1, {"emotion": ("angry",), "session": ("1",)}),
    ),
)


def rows(*labels: tuple[str, str]) -> list[Utterance]:
    return [
        Utterance(f"u{number}", "tiny", emotion, session=session)
        for number, (session, emotion) in enumerate(labels)
    ]


COMPLETE = rows(("1", "angry"), ("1", "sad"), ("2", "sad"), ("2", "neutral"))


def test_a_complete_corpus_has_no_differences() -> None:
    assert (
        totals.differences(PUBLISHED, COMPLETE) == [] == totals.missing_parts(PUBLISHED, COMPLETE)
    )


def test_every_count_that_is_off_is_named_with_what_was_expected() -> None:
    assert totals.differences(PUBLISHED, COMPLETE[1:]) == [
        "utterances: 3, expected 4",
        "session 1: 1, expected 2",
        "angry or sad: 2, expected 3",
        "angry, session 1: 0, expected 1",
    ]
    assert totals.differences(PUBLISHED, COMPLETE[1:], tolerance=1) == []
    one_more = [*COMPLETE, *rows(("2", "neutral"))]
    assert totals.differences(PUBLISHED, one_more, tolerance=9) == [
        "utterances: 5, expected 4",
        "session 2: 3, expected 2",
    ]


def test_a_partial_corpus_is_held_to_the_parts_that_it_has() -> None:
    assert totals.missing_parts(PUBLISHED, COMPLETE[:2]) == ["2"]
    assert totals.differences(PUBLISHED, COMPLETE[:2]) == []
    assert totals.differences(PUBLISHED, COMPLETE[1:2]) == [
        "session 1: 1, expected 2",
        "angry, session 1: 0, expected 1",
    ]


def test_rejections_are_mentioned_beside_a_difference() -> None:
    rejected = [Rejection("u9", "prepare", "audio silent")]
    assert totals.differences(PUBLISHED, COMPLETE[:3], rejected)[0] == (
        "utterances: 3 (1 rejected in the whole corpus), expected 4"
    )
