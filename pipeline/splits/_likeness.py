"""What utterances have in common: a name, or names that are alike."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.splits._protocol import Groups

NONE: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


class Likeness(NamedTuple):
    """`own`: the utterances by name. Names in one bucket are alike: `members` (places
    of names) and `buckets`, (num_pairs,) each, say which are in which.
    """

    own: Groups
    members: NDArray[np.int64] = NONE
    buckets: NDArray[np.int64] = NONE

    def near(self, present: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a name, or one that is alike, is among those present, (num_names,)
        each.
        """
        if not len(self.members):
            return present
        here = present[self.members]
        others = np.bincount(self.buckets, here)[self.buckets] - here
        found = np.bincount(self.members, others > 0, minlength=len(present)) > 0
        return present | found


def shared(
    members: NDArray[np.int64], hashes: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs whose hash has two members or more, each once; hashes by number."""
    order = np.lexsort((members, hashes))
    members, hashes = members[order], hashes[order]
    new = np.append(True, hashes[1:] != hashes[:-1])
    kept = new | np.append(True, members[1:] != members[:-1])
    members, bucket = members[kept], (np.cumsum(new) - 1)[kept]
    several = np.bincount(bucket)[bucket] > 1
    return members[several], np.unique(bucket[several], return_inverse=True)[1]


def joined(likeness: Likeness, ids: Sequence[str]) -> Groups:
    """Groups of utterances that are alike, also by way of others; one without a name is
    alone. A group has the name of its first utterance.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    names, own = likeness.own
    size = len(names) + (int(likeness.buckets.max()) + 1 if len(likeness.buckets) else 0)
    pairs = np.ones(len(likeness.members)), (likeness.members, len(names) + likeness.buckets)
    _, component = connected_components(coo_matrix(pairs, shape=(size, size)), directed=False)
    group = np.where(own >= 0, component[own] if size else -1, size + np.arange(len(own)))
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    return Groups([ids[index] for index in first], place)
