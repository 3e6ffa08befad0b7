"""Recordings that are the same or nearly so: a take in another format, at another level
or rate, with noise, longer or shorter at its ends, or cut out of a longer one.

Two recordings are compared where some pair of codes is the same in both, twice with the
same shift. They are nearly the same where, so shifted, at most `DIFFERENT` of the bits
differ in what is loud in both, `SHORTEST` or more and half of the shorter one's. docs/
protocols.md says what that finds; the fingerprints are those of `schema.Utterance`.

All of it is work on columns. Equal pairs of codes are neighbours once they are sorted;
among many of them only neighbours are compared, and what they join is alike.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.schema import FINGERPRINT_LOUD, FINGERPRINT_SHIFT
from pipeline.splits._likeness import NONE, Likeness, shared
from pipeline.splits._protocol import groups
from pipeline.splits._selection import sound

DIFFERENT = 0.17
SHORTEST = round(0.5 / FINGERPRINT_SHIFT)  # codes
BITS = 15
BETWEEN = 8  # codes from the first to the second of a pair
REACH = 4  # neighbours that a recording is compared with on each side
PLACE_BITS = 34  # of a sorted word, below the pair's 30
COMPARED = 2**21  # codes that are compared at a time
SET = np.unpackbits(np.arange(2**16, dtype=">u2").view(np.uint8).reshape(-1, 2), axis=1).sum(
    axis=1, dtype=np.uint8
)


class _Codes(NamedTuple):
    """The codes of all recordings one after the other; `starts`, (num_recordings + 1,);
    how many of each recording are loud.
    """

    values: NDArray[np.uint16]
    starts: NDArray[np.int64]
    loud: NDArray[np.int64]


def recordings(utterances: pa.Table) -> Likeness:
    """The utterances by what was recorded, and which recordings are nearly the same."""
    own = groups(sound(utterances))
    _, first = np.unique(own.own, return_index=True)
    return Likeness(own, *_alike(_codes(utterances["fingerprint"], first)))


def _codes(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> _Codes:
    values = column.cast(pa.large_binary()).combine_chunks().fill_null(b"").take(pa.array(rows))
    values = pa.concat_arrays([values])
    _, offsets, data = values.buffers()
    starts = np.frombuffer(offsets, np.int64, len(values) + 1, 8 * values.offset) // 2
    codes = np.frombuffer(data or b"", "<u2")[starts[0] : starts[-1]]
    starts = starts - starts[0]
    loud = np.append(0, np.cumsum(codes >= FINGERPRINT_LOUD, dtype=np.int64))
    return _Codes(codes, starts, np.diff(loud[starts]))


def _alike(codes: _Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Recordings that have a moment in common: members, buckets, (num_pairs,) each."""
    pairs, places = _repeated(codes)
    owner = np.searchsorted(codes.starts, places, side="right") - 1
    lefts, rights = [], []
    for distance in range(1, min(REACH, len(pairs) - 1) + 1):
        left = np.flatnonzero(pairs[distance:] == pairs[:-distance])
        left = left[owner[left] != owner[left + distance]]
        lefts.append(left)
        rights.append(left + distance)
    if not lefts:
        return NONE, NONE
    left, right = np.concatenate(lefts), np.concatenate(rights)
    local = places - codes.starts[owner]
    same = _nearly_the_same(codes, owner[left], owner[right], local[right] - local[left])
    return _moments(owner, left[same], right[same])


def _repeated(codes: _Codes) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Pairs of loud codes that occur twice or more, sorted, and the places of their
    first codes.
    """
    if len(codes.values) <= BETWEEN:
        return np.zeros(0, dtype=np.uint64), NONE
    first, second = codes.values[:-BETWEEN], codes.values[BETWEEN:]
    within = (first & second) >= FINGERPRINT_LOUD
    # No pair reaches into the next recording.
    for back in range(1, BETWEEN + 1):
        ends = codes.starts[1:-1] - back
        within[ends[(ends >= 0) & (ends < len(within))]] = False
    places = np.flatnonzero(within)
    if not len(places):
        return np.zeros(0, dtype=np.uint64), NONE
    pairs = first[places].astype(np.uint64) % FINGERPRINT_LOUD << np.uint64(BITS)
    pairs |= second[places] % FINGERPRINT_LOUD
    words = np.sort(pairs << np.uint64(PLACE_BITS) | places.astype(np.uint64))
    pairs = words >> np.uint64(PLACE_BITS)
    equal = np.append(pairs[1:] == pairs[:-1], False)
    kept = equal | np.append(False, equal[:-1])
    return pairs[kept], (words[kept] & np.uint64(2**PLACE_BITS - 1)).astype(np.int64)


def _nearly_the_same(
    codes: _Codes, left: NDArray[np.int64], right: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether recordings are nearly the same where place p of the left one is p + shift
    of the right one; all (num_found,). One found once with its shift is not compared.
    """
    widest = int(np.abs(shift).max(initial=0))
    word = (left * len(codes.loud) + right) * (2 * widest + 1) + shift + widest
    _, first, place, times = np.unique(
        word, return_index=True, return_inverse=True, return_counts=True
    )
    same = np.zeros(len(first), dtype=bool)
    several = np.flatnonzero(times > 1)
    chosen = first[several]
    lengths = np.diff(codes.starts)
    begin = np.maximum(0, -shift[chosen])
    end = np.minimum(lengths[left[chosen]], lengths[right[chosen]] - shift[chosen])
    parts = np.cumsum(end - begin) // COMPARED
    for part in np.unique(parts):
        now = parts == part
        ours = chosen[now]
        start = codes.starts[left[ours]] + begin[now]
        other = codes.starts[right[ours]] + begin[now] + shift[ours]
        heard, wrong = _differences(codes.values, start, other, (end - begin)[now])
        needed = np.minimum(codes.loud[left[ours]], codes.loud[right[ours]]) / 2
        enough = heard >= np.maximum(SHORTEST, needed)
        same[several[now]] = enough & (wrong <= DIFFERENT * BITS * heard)
    return same[place]


def _differences(
    values: NDArray[np.uint16],
    start: NDArray[np.int64],
    other: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of stretches of codes, (num_stretches,): how many are loud in both, and how many
    bits of these differ.
    """
    begins = np.cumsum(lengths) - lengths
    along = np.arange(lengths.sum()) - np.repeat(begins, lengths)
    ours = values[along + np.repeat(start, lengths)]
    theirs = values[along + np.repeat(other, lengths)]
    both = (ours & theirs) >= FINGERPRINT_LOUD
    heard = np.add.reduceat(both, begins, dtype=np.int64)
    return heard, np.add.reduceat(SET[ours ^ theirs] * both, begins, dtype=np.int64)


def _moments(
    owner: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Members and buckets of recordings that are joined at a moment; sets of recordings
    that several moments join are there once.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(left):
        return NONE, NONE
    used, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    pairs = place[: len(left)], place[len(left) :]
    graph = coo_matrix((np.ones(len(left), dtype=bool), pairs), shape=(len(used), len(used)))
    _, moment = connected_components(graph, directed=False)
    members, buckets = shared(owner[used], moment.astype(np.uint64))
    drawn = np.random.default_rng(0).integers(0, 2**64, int(owner.max()) + 1, dtype=np.uint64)
    sets = np.zeros(int(buckets.max()) + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(sets, buckets, drawn[members])
    _, kept = np.unique(sets, return_index=True)
    once = np.isin(buckets, kept)
    return members[once], np.unique(buckets[once], return_inverse=True)[1]
