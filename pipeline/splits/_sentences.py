"""Sentences that are the same or nearly so.

Nearly the same are two sentences of which one word is replaced, added, missing or
moved, and two that have a run of eight words in common. Sentences of fewer than four
words count for none, nearly the same are only those of five words or more: "yeah" and
"I don't know" belong to everybody.

All of it is work on columns, in proportion to the number of words: sentences are alike
where they have a hash in common, of themselves, of themselves without a word, or of a
run. The hashes are polynomials in 64 bits, whose prefixes are sums.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.splits._likeness import Likeness, joined, shared
from pipeline.splits._protocol import Groups, Items, groups
from pipeline.splits._selection import named

FEWEST, FEWEST_NEAR, RUN = 4, 5, 8  # words
BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
KINDS = np.array([0x5851F42D4C957F2D, 0x14057B7EF767814F], dtype=np.uint64)


def spoken(utterances: pa.Table) -> pa.ChunkedArray:
    """The words in lower case, or else the transcript."""
    words = pc.binary_join(utterances["words"].combine_chunks(), " ").dictionary_encode()
    # pyarrow has lower case alone: what is folded is each text once.
    folded = pa.array((text.casefold() for text in words.dictionary.to_pylist()), pa.string())
    lowered = pa.chunked_array([folded.take(words.indices)])
    return pc.coalesce(named(lowered), named(utterances["transcript"]))


def sentences(utterances: pa.Table) -> Likeness:
    """The utterances by their sentence, and which sentences are nearly the same."""
    found = groups(spoken(utterances))
    words = pc.split_pattern(pa.array(found.names, pa.string()), " ")
    lengths = pc.list_value_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    counted = lengths >= FEWEST
    place = np.append(np.where(counted, np.cumsum(counted) - 1, -1), -1)
    names = [name for name, long in zip(found.names, counted, strict=True) if long]
    own = Groups(names, place[found.own])
    return Likeness(own, *_alike(words.filter(pa.array(counted)), lengths[counted]))


def sentence_groups(items: Items) -> Groups:
    """Every item in a group with all whose sentence is the same or nearly so, also by
    way of others.
    """
    return joined(sentences(items.table), items.ids)


def _alike(
    words: pa.Array, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a sentence and a hash that it has in common with another one: members,
    buckets, (num_pairs,) each.
    """
    empty = np.zeros(0, dtype=np.int64)
    if not len(lengths):
        return empty, empty
    encoded = words.flatten().dictionary_encode()
    order = np.argsort(np.array(encoded.dictionary.to_pylist(), dtype=object), kind="stable")
    value = np.empty(len(order), dtype=np.uint64)
    value[order] = np.random.default_rng(0).integers(0, 2**64, len(order), dtype=np.uint64)
    starts = np.append(0, np.cumsum(lengths))
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    local = np.arange(starts[-1]) - starts[:-1][sentence]
    power, inverse = (_powers(base, int(lengths.max())) for base in (BASE, pow(BASE, -1, 2**64)))
    with np.errstate(over="ignore"):
        terms = value[encoded.indices.to_numpy()] * power[local]
        sums = np.append(np.uint64(0), np.cumsum(terms, dtype=np.uint64))
        whole = sums[starts[1:]] - sums[starts[:-1]]
        before = sums[:-1] - sums[starts[:-1]][sentence]
        after = sums[starts[1:]][sentence] - sums[1:]
        without = before + after * inverse[1]
        length = lengths.astype(np.uint64)
        long = lengths[sentence] >= FEWEST_NEAR
        runs = np.flatnonzero(local + RUN <= lengths[sentence])
        run = (sums[runs + RUN] - sums[runs]) * inverse[local[runs]]
        # A sentence has the hash of a longer one without a word where that is all that
        # it lacks; the number of words is part of the hash.
        hashes = [
            (whole + length) * KINDS[0],
            (without[long] + length[sentence[long]] - np.uint64(1)) * KINDS[0],
            run * KINDS[1],
        ]
    members = [np.arange(len(lengths)), sentence[long], sentence[runs]]
    return shared(np.concatenate(members), np.concatenate(hashes))


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    factors = np.full(count + 1, base, dtype=np.uint64)
    factors[0] = 1
    with np.errstate(over="ignore"):
        return np.cumprod(factors, dtype=np.uint64)
