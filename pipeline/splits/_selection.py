"""Which utterances are divided: by label, speaking style and identical samples."""

from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from pipeline.splits._protocol import Common, Item


def sound(utterance: Utterance) -> str:
    """What two utterances with identical samples have in common."""
    return utterance.audio_sha256 or utterance.duplicate_of or utterance.utterance_id


def select(
    utterances: Iterable[Utterance], config: Common, classes: Sequence[str]
) -> tuple[list[Item], list[Rejection]]:
    """The items, sorted by utterance_id, and who was left out.

    Raises ConfigurationError for a repeated utterance_id, fewer than two classes or one
    that has no utterance.
    """
    # An original goes before its copies, so that a copy is never kept in its place.
    ordered = sorted(
        utterances, key=lambda item: (item.duplicate_of is not None, item.utterance_id)
    )
    repeated = Counter(utterance.utterance_id for utterance in ordered)
    if len(repeated) != len(ordered):
        raise ConfigurationError(
            f"utterance {repeated.most_common(1)[0][0]!r} occurs twice in utterances.parquet, "
            "utterance ids must differ"
        )
    items: list[Item] = []
    rejections: list[Rejection] = []
    originals: dict[str, str] = {}
    for utterance in ordered:
        left_out = _reason(utterance, config, originals)
        if left_out is not None:
            rejections.append(Rejection(utterance.utterance_id, "split", *left_out))
        else:
            originals[sound(utterance)] = utterance.utterance_id
            items.append(Item(utterance, config.labels[utterance.emotion]))
    present = {item.emotion for item in items}
    absent = [label for label in classes if label not in present]
    if absent or len(classes) < 2:
        found = dict(sorted(Counter(str(utterance.emotion) for utterance in ordered).items()))
        raise ConfigurationError(
            f"labels: no utterance left for {absent}, expected two classes or more with "
            f"utterances; raw labels: {found}"
        )
    return sorted(items, key=lambda item: item.utterance.utterance_id), rejections


def _reason(
    utterance: Utterance, config: Common, originals: dict[str, str]
) -> tuple[str, str] | None:
    if utterance.emotion not in config.labels:
        return "label outside the scheme", utterance.emotion
    if config.styles is not None and utterance.style not in config.styles:
        return "style filtered", str(utterance.style)
    if config.duplicates == "drop" and sound(utterance) in originals:
        return "duplicate audio", f"same samples as {originals[sound(utterance)]}"
    return None
