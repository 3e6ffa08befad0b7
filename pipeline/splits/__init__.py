"""Splits: who trains, who chooses the epoch, who tests; one module for each protocol.

A protocol is chosen by the part of the params key before the first hyphen, and a module
added here is one: see `_protocol` for what it holds. Every fold has a validation set of
its own beside its training and test part; the audit says how it was made and what the
parts have in common.
"""

from typing import Any

from pipeline import lookup
from pipeline.splits._split import COLUMNS, Split, split
from pipeline.splits._writing import write

__all__ = ["COLUMNS", "Split", "settings", "split", "write"]


def settings(name: str, values: Any) -> Any:
    """The checked Config under `name` of the section `splits` of params.yaml."""
    return lookup.component_config("splits", name, values)
