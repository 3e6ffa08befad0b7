"""What the pages are made of beside their text: formulas, tables of what is there, and
pictures drawn by the project's own functions.
"""

import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

from pipeline import lookup
from pipeline.commands import systems
from pipeline.corpora import Licence

SAID = "Two roads diverged in a yellow wood, and sorry I could not travel both"
PICTURES = Path(__file__).parent / "pictures"


def on_pre_build(config: Any) -> None:
    """Draws the pictures of docs/pictures, of a synthetic voice."""
    from pipeline.acoustic import short_term
    from pipeline.demo import synthesis
    from pipeline.report import recording
    from pipeline.schema import WordSpan

    PICTURES.mkdir(exist_ok=True)
    bounds = [(match.start(), match.end()) for match in re.finditer(r"\S+", SAID)]
    speech = synthesis.speak(SAID, bounds, synthesis.Manner("en-us"), sampling_rate=16000)
    options = short_term.Config(frame_length=0.05, frame_shift=0.025)
    frames = short_term.extract(speech.waveform, 16000, options)
    names = short_term.feature_names(options)
    recording.feature_curves(
        PICTURES / "features.png", speech.waveform, 16000, frames, names, options.frame_shift
    )
    spans = [
        WordSpan("u", number, word, start, end, None, "given")
        for number, (word, (start, end)) in enumerate(zip(SAID.split(), speech.times, strict=True))
    ]
    recording.alignment(PICTURES / "alignment.png", speech.waveform, 16000, spans)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Writes formulas between $$ as MathML, and tables in the place of their names."""
    for name, table in (("systems", _systems), ("corpora", _corpora)):
        if f"<!-- {name} -->" in markdown:
            markdown = markdown.replace(f"<!-- {name} -->", table())
    display = re.sub(
        r"\$\$(.+?)\$\$",
        lambda found: convert(found[1].strip(), display="block"),
        markdown,
        flags=re.DOTALL,
    )
    return re.sub(r"\$`(.+?)`\$", lambda found: convert(found[1]), display)


def _systems() -> str:
    lines = ["| system | paper | reads | acoustic | text | weights |", "|---|---|---|---|---|---:|"]
    for item in systems.describe():
        weights = "–" if item.weights is None else f"{item.weights:,}"
        cells = [f"`{item.system}`", item.paper, ", ".join(item.reads)]
        cells += [item.acoustic or "–", item.text or "–", weights]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _corpora() -> str:
    lines = ["| name | what it is | licence | may be given on |", "|---|---|---|---|"]
    for name in lookup.names("corpora"):
        module = lookup.component("corpora", name)
        licence: Licence = module.LICENCE
        about = " ".join((module.__doc__ or "").partition("\n\n")[0].split())
        page = f"[{licence.name}]({licence.url})" if licence.url else licence.name
        given = "yes" if licence.redistribution else "no"
        lines.append(f"| `{name}` | {about} | {page} | {given} |")
    return "\n".join(lines)
