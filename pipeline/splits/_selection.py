"""Which utterances are divided: by label, speaking style and identical samples."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection
from pipeline.splits._protocol import Common, Groups, Items, groups


def named(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values without the empty ones: an empty name is nobody's."""
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def sound(utterances: pa.Table) -> pa.ChunkedArray:
    """What two utterances with identical samples have in common."""
    known = (named(utterances[name]) for name in ("audio_sha256", "duplicate_of"))
    return pc.coalesce(*known, utterances["utterance_id"])


def select(
    utterances: pa.Table, config: Common, classes: Sequence[str]
) -> tuple[Items, list[Rejection]]:
    """The items, and who was left out, sorted by utterance_id.

    Raises ConfigurationError for a repeated utterance_id, fewer than two classes or one
    that has no utterance.
    """
    utterances = utterances.sort_by("utterance_id")
    ids = utterances["utterance_id"].to_pylist()
    if len(set(ids)) != len(ids):
        raise ConfigurationError(
            f"utterance {Counter(ids).most_common(1)[0][0]!r} occurs twice in utterances.parquet, "
            "utterance ids must differ"
        )
    raw = groups(utterances["emotion"])
    place = {label: index for index, label in enumerate(sorted(classes))}
    known = [place[config.labels[name]] if name in config.labels else -1 for name in raw.names]
    own = np.array([*known, -1])[raw.own]
    used = own >= 0
    reasons: dict[int, tuple[str, str]] = {
        index: ("label outside the scheme", str(raw.names[raw.own[index]]))
        for index in np.flatnonzero(~used).tolist()
    }
    if config.styles is not None:
        styles = groups(utterances["style"])
        kept = np.array([*(name in config.styles for name in styles.names), False])[styles.own]
        for index in np.flatnonzero(used & ~kept).tolist():
            name = styles.names[styles.own[index]] if styles.own[index] >= 0 else None
            reasons[index] = ("style filtered", str(name))
        used &= kept
    if config.duplicates == "drop":
        first = _first_of_each(utterances, used)
        copies = np.flatnonzero(used & (first != np.arange(len(ids))))
        for index in copies.tolist():
            reasons[index] = ("duplicate audio", f"same samples as {ids[first[index]]}")
        used[copies] = False
    absent = [label for label in classes if not (own[used] == place[label]).any()]
    if absent or len(classes) < 2:
        found = dict(sorted(Counter(map(str, utterances["emotion"].to_pylist())).items()))
        raise ConfigurationError(
            f"labels: no utterance left for {absent}, expected two classes or more with "
            f"utterances; raw labels: {found}"
        )
    rejections = [Rejection(ids[index], "split", *reasons[index]) for index in sorted(reasons)]
    return Items(utterances.filter(used), Groups(sorted(classes), own[used])), rejections


def _first_of_each(utterances: pa.Table, used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The position of the utterance that is kept for the sound of each used one."""
    own = groups(sound(utterances)).own
    # An original goes before its copies, so that a copy is never kept in its place.
    copies = pc.is_valid(utterances["duplicate_of"]).to_numpy()
    positions = np.flatnonzero(used)
    positions = positions[np.argsort(copies[positions], kind="stable")]
    first = np.full(len(used), -1)
    first[own[positions[::-1]]] = positions[::-1]
    return first[own]
