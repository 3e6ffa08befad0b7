"""Results for people: one page, tables beside the published figures, and the same in
the terminal.
"""

from __future__ import annotations

from pipeline.report.page import write

__all__ = ["write"]
