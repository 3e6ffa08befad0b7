"""The figures of report/plots/ as the page embeds them."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What a card shows, in this order. `classes` and `confusion` stand on it as tables.
CARD = {
    "curves": "Loss and UA by epoch: thin lines are folds, dots the chosen epochs",
    "tsne": "Utterance vectors before the classifier (t-SNE), a test fold",
    "calibration": "How often it is right by how sure it is; the line is what should be",
    "folds": "UA of each test fold; rings: best test epoch",
    "alignment": "Word spans of one utterance",
    "features": "Short-term features of one utterance",
}
PIXELS_PER_POINT = 1.1  # two pictures of an utterance stand beside each other


@dataclass(frozen=True)
class Picture:
    """An SVG file: the kind of figure, its caption, its width in pixels, base64."""

    kind: str
    caption: str
    width: int
    content: str


def pictures(folder: Path, captions: Mapping[str, str], shown: set[bytes]) -> list[Picture]:
    """The SVG files of a folder that have a caption, in the order of the captions, less
    those in `shown`, to which they are added: experiments on one corpus share some.
    """
    found = []
    for name, caption in captions.items():
        path = folder / f"{name}.svg"
        content = path.read_bytes() if path.is_file() else b""
        if content and content not in shown:
            shown.add(content)
            points = re.search(rb'<svg[^>]* width="([\d.]+)pt"', content)
            width = round(PIXELS_PER_POINT * float(points[1])) if points else 0
            found.append(Picture(name, caption, width, base64.b64encode(content).decode()))
    return found
