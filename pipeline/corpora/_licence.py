"""What a corpus's licence says of passing it on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """A corpus's licence: its name, the page that states it (empty: there is none), and
    whether it lets what is made of the corpus be given to anybody.

    `redistribution` is false where a copy is had on request or by a signature, and
    where the terms are in doubt.
    """

    name: str
    url: str
    redistribution: bool
