"""Recordings that are the same or nearly so: a take in another format, at another level
or rate, with noise, longer or shorter at its ends, or cut out of a longer one.

Two recordings are compared where some pair of codes is the same in both, twice with the
same shift. They are nearly the same where, so shifted, at most `DIFFERENT` of the bits
differ in what is loud in both, `SHORTEST` or more and half of the shorter one's. docs/
protocols.md says what that finds; the fingerprints are those of `schema.Utterance`.

All of it is work on columns. Equal pairs of codes are neighbours once they are sorted;
among many of them only neighbours are compared, and what they join is alike.
"""

from collections.abc import Iterator
from itertools import pairwise
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
AT_A_TIME = 2**17  # places, or words, that are looked at at a time
SORTED = 2**22  # words that are sorted at a time
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


class _Places(NamedTuple):
    """Where equal pairs of codes lie, sorted by `pair`, a number for each of them: in
    which recording and at which code of it; all (num_places,). How many `recordings`
    there are, and the codes of the longest.
    """

    pair: NDArray[np.int32]
    owner: NDArray[np.uint32]
    local: NDArray[np.int32]
    recordings: np.uint64
    longest: np.uint64


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
    places = _repeated(codes)
    parts = [_nearly_the_same(codes, places, words) for words in _several(places, len(codes.loud))]
    return _moments(places, np.concatenate([np.zeros(0, dtype=np.uint64), *parts]))


def _repeated(codes: _Codes) -> _Places:
    """Where pairs of loud codes lie that occur twice or more."""
    first, second = codes.values[:-BETWEEN], codes.values[BETWEEN:]
    within = (first & second) >= FINGERPRINT_LOUD
    # No pair reaches into the next recording.
    for back in range(1, BETWEEN + 1):
        ends = codes.starts[1:-1] - back
        within[ends[(ends >= 0) & (ends < len(within))]] = False
    places = np.flatnonzero(within)
    words = first[places].astype(np.uint64) % FINGERPRINT_LOUD << np.uint64(BITS)
    words |= second[places] % FINGERPRINT_LOUD
    words <<= np.uint64(PLACE_BITS)
    words |= places.astype(np.uint64)
    del places, within
    words.sort()
    new = np.ones(len(words), dtype=bool)
    new[1:] = (words[1:] ^ words[:-1]) >= 1 << PLACE_BITS
    several = ~new
    several[:-1] |= ~new[1:]
    places = (words[several] & np.uint64(2**PLACE_BITS - 1)).astype(np.int64)
    del words
    owner = np.searchsorted(codes.starts, places, side="right") - 1
    local = (places - codes.starts[owner]).astype(np.int32)
    lengths = np.diff(codes.starts)
    return _Places(
        np.cumsum(new[several], dtype=np.int32),
        owner.astype(np.uint32),
        local,
        np.uint64(len(lengths)),
        np.uint64(lengths.max(initial=0)),
    )


def _neighbours(places: _Places) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Places of the same pair of codes in two recordings, (num_found,) each, some pairs
    of codes at a time.
    """
    start = 0
    while start < len(places.pair):
        last = places.pair[start : start + AT_A_TIME][-1]
        end = int(np.searchsorted(places.pair, last, side="right"))
        pair, owner = places.pair[start:end], places.owner[start:end]
        lefts, rights = [NONE], [NONE]
        for distance in range(1, min(REACH, end - start - 1) + 1):
            left = np.flatnonzero(pair[distance:] == pair[:-distance])
            left = left[owner[left] != owner[left + distance]] + start
            lefts.append(left)
            rights.append(left + distance)
        yield np.concatenate(lefts), np.concatenate(rights)
        start = end


def _words(
    places: _Places, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Two recordings and by how much the second is shifted, as a number each."""
    shift = places.local[right] - places.local[left] + np.int64(places.longest)
    words = places.owner[left].astype(np.uint64) * places.recordings + places.owner[right]
    return words * (2 * places.longest + 1) + shift.astype(np.uint64)


def _several(places: _Places, recordings: int) -> Iterator[NDArray[np.uint64]]:
    """The words that are found more than once, sorted, those of some recordings at a
    time.
    """
    parts = -(-REACH * len(places.pair) // SORTED)
    edges = np.linspace(0, recordings, parts + 1).astype(np.int64)
    for first, past in pairwise(edges):
        found = [np.zeros(0, dtype=np.uint64)]
        for left, right in _neighbours(places):
            own = places.owner[left]
            now = (own >= first) & (own < past)
            found.append(_words(places, left[now], right[now]))
        words = np.sort(np.concatenate(found))
        same = words[1:] == words[:-1]
        same[1:] &= ~same[:-1]
        yield words[1:][same]


def _nearly_the_same(
    codes: _Codes, places: _Places, words: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Those words, of `_words`, whose recordings are nearly the same where place p of
    the left one is p + shift of the right one.
    """
    lengths, same = np.diff(codes.starts), np.zeros(len(words), dtype=bool)
    for first in range(0, len(words), AT_A_TIME):
        both, shift = np.divmod(words[first : first + AT_A_TIME], 2 * places.longest + 1)
        left, right = (part.astype(np.int64) for part in np.divmod(both, places.recordings))
        shift = shift.astype(np.int64) - np.int64(places.longest)
        begin = np.maximum(0, -shift)
        end = np.minimum(lengths[left], lengths[right] - shift)
        parts = np.cumsum(end - begin) // COMPARED
        for part in np.unique(parts):
            now = np.flatnonzero(parts == part)
            start = codes.starts[left[now]] + begin[now]
            other = codes.starts[right[now]] + begin[now] + shift[now]
            heard, wrong = _differences(codes.values, start, other, (end - begin)[now])
            needed = np.minimum(codes.loud[left[now]], codes.loud[right[now]]) / 2
            enough = heard >= np.maximum(SHORTEST, needed)
            same[first + now] = enough & (wrong <= DIFFERENT * BITS * heard)
    return words[same]


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
    places: _Places, same: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Members and buckets of recordings that are joined at a moment by one of the words
    `same`; sets of recordings that several moments join are there once.
    """
    drawn = np.random.default_rng(0).integers(0, 2**64, int(places.recordings), dtype=np.uint64)
    members, sizes, sets = [NONE], [NONE], [np.zeros(0, dtype=np.uint64)]
    for left, right in _neighbours(places) if len(same) else ():
        words = _words(places, left, right)
        place = np.minimum(np.searchsorted(same, words), len(same) - 1)
        here = same[place] == words
        own, bucket = _joined(places, left[here], right[here])
        begins = np.flatnonzero(np.append(True, bucket[1:] != bucket[:-1])[: len(bucket)])
        members.append(own)
        sizes.append(np.diff(np.append(begins, len(own))))
        if len(own):
            sets.append(np.add.reduceat(drawn[own], begins))
    size = np.concatenate(sizes)
    _, kept = np.unique(np.concatenate(sets), return_index=True)
    once = np.zeros(len(size), dtype=bool)
    once[kept] = True
    buckets = np.repeat(np.cumsum(once) - 1, size)
    chosen = np.repeat(once, size)
    return np.concatenate(members)[chosen], buckets[chosen]


def _joined(
    places: _Places, left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Recordings and buckets, (num_pairs,) each: those whose places are joined, also by
    way of others.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(left):
        return NONE, NONE
    used, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    pairs = place[: len(left)], place[len(left) :]
    graph = coo_matrix((np.ones(len(left), dtype=bool), pairs), shape=(len(used), len(used)))
    _, moment = connected_components(graph, directed=False)
    return shared(places.owner[used].astype(np.int64), moment.astype(np.uint64))
