"""Speech with known word times, and a program that behaves as the forced aligner whose
place it takes.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import soundfile

from pipeline import alignment, tables
from pipeline.alignment import _kept
from pipeline.alignment._account import Account, account
from pipeline.alignment._chain import Placed
from pipeline.demo import synthesis
from pipeline.schema import Rejection, Utterance, WordSpan

SENTENCES = {
    "one": "the teacher came back to the old wooden house yesterday",
    "two": "please tell my brother that dinner is almost ready",
    "three": "we never saw such a beautiful garden before",
}


def write_speech(folder: Path) -> tuple[list[Utterance], dict[str, list[WordSpan]]]:
    """Utterances of two speakers as 16 kHz wav files, and the true spans by
    utterance_id.
    """
    utterances, truth = [], {}
    for number, (name, sentence) in enumerate(SENTENCES.items()):
        words = tuple(sentence.split())
        manner = synthesis.Manner(voice=("en-us+f3", "en-us+m3")[number % 2], words_per_minute=150)
        spoken = synthesis.speak(
            sentence, _units(words), manner, sampling_rate=16000, padding=(0.3, 0.25), seed=number
        )
        path = folder / f"{name}.wav"
        soundfile.write(path, spoken.waveform, 16000, subtype="PCM_16")
        utterances.append(
            Utterance(
                name, "test", "neutral", str(path), words=words, speaker=f"speaker{number % 2}"
            )
        )
        truth[name] = [
            WordSpan(name, index, word, round(start, 3), round(end, 3), None, "truth")
            for index, (word, (start, end)) in enumerate(zip(words, spoken.times, strict=True))
        ]
    return utterances, truth


def _units(words: tuple[str, ...]) -> list[tuple[int, int]]:
    places, position = [], 0
    for word in words:
        places.append((position, position + len(word)))
        position += len(word) + 1
    return places


PROGRAM = r'''#!{python}
"""Behaves as `mfa` 3.4 does: exit codes, silent gaps, output forms.

Words are spread evenly over the file.
"""
import json, sys, wave
from pathlib import Path

log = Path({log!r})
with log.open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\n")
behaviour = json.loads(Path({behaviour!r}).read_text())
command, *rest = sys.argv[1:]
if command == "version":
    print("3.4.3")
    sys.exit(0)
if command == "train":
    corpus, dictionary, model = rest[:3]
    Path(model).write_bytes(b"model")
    Path(model).with_name("english.dict").write_text("the 0.9 0.1 1.0 1.0 DH AH0\n")
    sys.exit(0)
corpus, dictionary, model, out = rest[:4]
if model == "no_such_model":
    print("Could not find a model named no_such_model", file=sys.stderr)
    sys.exit(2)
if behaviour.get("abort"):
    print("Traceback (most recent call last): it went wrong", file=sys.stderr)
    sys.exit(1)
beam = int(rest[rest.index("--beam") + 1]) if "--beam" in rest else 10
form = rest[rest.index("--output_format") + 1]
for sound in sorted(Path(corpus).rglob("*.wav")):
    words = sound.with_suffix(".lab").read_text().split()
    with wave.open(str(sound)) as file:
        duration = file.getnframes() / file.getframerate()
    if duration < 0.1 or any(w in behaviour.get("never", []) for w in words):
        continue
    if beam < 100 and any(w in behaviour.get("wide_beam_only", []) for w in words):
        continue
    target = Path(out) / sound.parent.name
    target.mkdir(parents=True, exist_ok=True)
    known = behaviour.get("tokens", {{}})
    tokens = [token for word in words for token in known.get(word, [word.lower()])]
    step = (duration - 0.2) / len(tokens)
    edges = [round(0.1 + i * step, 2) for i in range(len(tokens) + 1)]
    rows = list(zip(edges, edges[1:], tokens))
    if form == "csv":
        lines = ["Begin,End,Label,Type,Speaker"]
        lines += [f"{{a}},{{b}},{{t}},words,{{target.name}}" for a, b, t in rows]
        lines.append(f"{{rows[0][0]}},{{rows[0][1]}},AH0,phones,{{target.name}}")
        (target / f"{{sound.stem}}.csv").write_text("\n".join(lines) + "\n")
    elif form == "json":
        tiers = {{"words": {{"type": "interval", "entries": rows}}}}
        tiers["phones"] = {{"type": "interval", "entries": []}}
        content = {{"start": 0, "end": duration, "tiers": tiers}}
        (target / f"{{sound.stem}}.json").write_text(json.dumps(content))
    else:
        rows = [(0.0, rows[0][0], ""), *rows, (rows[-1][1], duration, "")]
        body = "".join(f'{{a}}\n{{b}}\n"{{t}}"\n' for a, b, t in rows)
        head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        head += f'0\n{{duration}}\n<exists>\n1\n'
        tier = f'"IntervalTier"\n"words"\n0\n{{duration}}\n{{len(rows)}}\n'
        (target / f"{{sound.stem}}.TextGrid").write_text(head + tier + body)
sys.exit(1 if behaviour.get("exit_one") else 0)
'''


def write_mfa(folder: Path, **behaviour: object) -> tuple[str, Path]:
    """An executable that answers as the program does; its path and the log of its
    calls, one JSON list a line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log, settings, program = folder / "calls.jsonl", folder / "behaviour.json", folder / "mfa"
    settings.write_text(json.dumps(behaviour))
    log.write_text("")
    program.write_text(PROGRAM.format(python=sys.executable, log=str(log), behaviour=str(settings)))
    program.chmod(0o755)
    return str(program), log


def align_corpus(
    utterances: Sequence[Utterance], *given: Any
) -> tuple[list[WordSpan], list[Rejection], dict[str, Any]]:
    """As the stage aligns the table of these utterances, the spans as objects."""
    table = tables.utterance_table(utterances)
    spans, rejections, metrics = alignment.align_corpus(table, *given)
    return tables.span_rows(spans), rejections, metrics


def counted(placed: Mapping[str, Placed], utterances: Sequence[Utterance]) -> Account:
    """What aligners did with utterances, from what is written of it."""
    texts = {name: _kept.row(name, item, {name: "key"}).text for name, item in placed.items()}
    return account(texts, {item.utterance_id: item.words for item in utterances})
