"""Splits: who trains, who chooses the epoch, who tests; one module for each protocol."""

from __future__ import annotations

from typing import Any

from pipeline import lookup
from pipeline.splits import _protocol
from pipeline.splits._protocol import Config
from pipeline.splits._splits import Split, split

__all__ = ["Config", "Split", "settings", "split"]


def settings(name: str, values: Any) -> Config:
    """The checked entry `name` of the section `splits` of params.yaml."""
    _protocol.name_of(name)
    config: Config = lookup.configure(Config, values, f"splits.{name}")
    return config
