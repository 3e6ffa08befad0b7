"""Evaluation protocols by name, and what params.yaml states of one.

A protocol is chosen by the part of the params key before the first hyphen:

    session    one session out per fold (TSIN's SesI, CMA), or `test: [5]` alone (CBLA: train 1-4, test 5)
    speaker    one speaker out per fold (TSIN's SpkI), or `folds` groups of speakers
    random     stratified folds over utterances (TSIN's SpkD, FG_CME on RAVDESS)
    ratio      one stratified division, train : valid : test = 7 : 2 : 1 (PBA)
    grouped    the same 7 : 2 : 1 over whole dialogues or videos, or `folds` groups of them
    official   the corpus's own subset column
    fold_file  a published fold list
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from pipeline.lookup import ConfigurationError

NAMES = ("fold_file", "grouped", "official", "random", "ratio", "session", "speaker")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Config:
    """Label scheme and protocol parameters of one split.

    `labels` maps each raw label to its class; the classes are numbered in the order in
    which they first appear, other labels are rejected. `styles` keeps only these
    speaking styles. `folds` groups units into that many folds; None is one fold per
    session or speaker, five random folds, or one division by `ratio` (train, valid,
    test). `test` names the sessions or speakers of a single test fold. `duplicates:
    drop` keeps one of several recordings with identical samples. `fold_file` is a CSV
    or JSON path, for the protocol of that name.
    """

    labels: dict[str, str]
    styles: list[str] | None = None
    folds: int | None = Field(default=None, ge=2)
    seed: int = 0
    validation_share: float = Field(default=0.15, gt=0, lt=0.9)
    ratio: tuple[float, float, float] = (0.7, 0.2, 0.1)
    test: list[str] | None = None
    duplicates: Literal["drop", "keep"] = "drop"
    fold_file: str | None = None


def name_of(key: str) -> str:
    """The protocol of a params key such as 'speaker-five'."""
    name = key.split("-", 1)[0]
    if name not in NAMES:
        raise ConfigurationError(
            f"unknown split {key!r}, expected one of {list(NAMES)}, with '-anything' behind it"
        )
    return name
