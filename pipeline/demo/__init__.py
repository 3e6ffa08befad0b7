"""The synthetic demo corpora."""

CORPORA = ("demo", "demo_zh")
