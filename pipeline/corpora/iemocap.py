"""IEMOCAP: ten actors in five dyadic sessions, about 12 hours of English.

Improvised and scripted dialogues.

Citation: C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang,
S. Lee, S. S. Narayanan. IEMOCAP: interactive emotional dyadic motion capture database.
Language Resources and Evaluation 42, 2008. https://doi.org/10.1007/s10579-008-9076-6

Layout, below the root or its folder `IEMOCAP_full_release`:
`Session1/dialog/EmoEvaluation/Ses01F_impro01.txt` (labels),
`Session1/dialog/transcriptions/Ses01F_impro01.txt`,
`Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav`, and the corpus's own
word times in
`Session1/sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.wdseg`.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from pipeline.corpora import _listing as listing
from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import Rejection, Utterance

EMOTIONS = {
    "ang": "angry",
    "hap": "happy",
    "exc": "excited",
    "neu": "neutral",
    "sad": "sad",
    "fru": "frustrated",
    "sur": "surprised",
    "fea": "fearful",
    "dis": "disgusted",
    "oth": "other",
    "xxx": "undecided",
}
VOTES = {
    "anger": "angry",
    "happiness": "happy",
    "excited": "excited",
    "neutral": "neutral",
    "neutral state": "neutral",
    "sadness": "sad",
    "frustration": "frustrated",
    "surprise": "surprised",
    "fear": "fearful",
    "disgust": "disgusted",
    "other": "other",
}
SAMPLING_RATE = 16000
SESSIONS = ("Ses01", "Ses02", "Ses03", "Ses04", "Ses05")
FOUR_CLASSES = ("angry", "happy", "excited", "neutral", "sad")
_IMPROVISED = {"angry": 289, "happy": 284, "excited": 663, "neutral": 1099, "sad": 608}
_FOUR_CLASSES_BY_SESSION = dict(zip(SESSIONS, (1085, 1023, 1151, 1031, 1241), strict=True))
_BY_EMOTION = {
    "angry": 1103,
    "happy": 595,
    "excited": 1041,
    "neutral": 1708,
    "sad": 1084,
    "frustrated": 1849,
    "surprised": 107,
    "fearful": 40,
    "disgusted": 2,
    "other": 3,
    "undecided": 2507,
}
LICENCE = Licence(
    "University of Southern California release form: academic use, own copy",
    "https://sail.usc.edu/iemocap/",
    redistribution=False,
)
TOTALS = Totals(
    part="session",
    parts=SESSIONS,
    counts=(
        Count("utterances", 10039),
        *per_value("session", dict(zip(SESSIONS, (1819, 1811, 2136, 2103, 2170), strict=True))),
        *per_value("style", {"improvised": 4784, "scripted": 5255}),
        *per_value("emotion", _BY_EMOTION),
        Count("four classes, excited with happy", 5531, {"emotion": FOUR_CLASSES}),
        *(
            Count(
                f"four classes, {session}", number, {"emotion": FOUR_CLASSES, "session": (session,)}
            )
            for session, number in _FOUR_CLASSES_BY_SESSION.items()
        ),
        Count("four classes, scripted", 2588, {"emotion": FOUR_CLASSES, "style": ("scripted",)}),
        *(
            Count(
                f"improvised {emotion}", number, {"emotion": (emotion,), "style": ("improvised",)}
            )
            for emotion, number in _IMPROVISED.items()
        ),
    ),
)

TURN = re.compile(
    r"\[[\d.]+\s*-\s*[\d.]+\]\s+(?P<turn>\S+)\s+(?P<label>\S+)\s+\[(?P<ratings>[^\]]*)\]\s*"
)
# The speaker is the letter of the turn, not the F or M of the dialogue: that one names
# who wore the motion markers.
TURN_NAME = re.compile(
    r"(?P<dialogue>(?P<session>Ses0[1-5])[FM]_(?P<style>impro|script)\w+)_(?P<speaker>[FM])\d{3}",
    re.ASCII,
)
VOTE = re.compile(r"C-(?P<annotator>\w+):\s*(?P<labels>[^()]*)")
SPOKEN = re.compile(r"(?P<turn>Ses0[1-5]\w+)\s*\[[\d.]+\s*-\s*[\d.]+\]:\s*(?P<text>.*)")
STYLES = {"impro": "improvised", "script": "scripted"}


@checked
class Config:
    """IEMOCAP is read from its original tree; sessions, labels and styles are chosen by
    the split.
    """


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields every evaluated turn of the sessions below `root`, by session, dialogue
    and place in the dialogue.

    `ratings` are valence, activation and dominance from 1 to 5 (annotators' mean).
    `votes` are the categorical votes as `annotator:emotion`, E1… for evaluators, F and
    M for the actors' own. A turn whose line in the transcription does not parse has no
    transcript. Raises ConfigurationError for a tree without sessions.
    """
    listing.require_folder(root, "the IEMOCAP folder that holds Session1 … Session5")
    base = root / "IEMOCAP_full_release" if (root / "IEMOCAP_full_release").is_dir() else root
    sessions = [
        folder for folder in listing.folders(base) if re.fullmatch(r"Session[1-5]", folder.name)
    ]
    if not sessions:
        raise ConfigurationError(f"no session in {base}, expected folders Session1 … Session5")
    seen: set[str] = set()
    for session in sessions:
        for evaluation in _evaluations(session):
            for row in _dialogue(session, evaluation):
                if row.utterance_id in seen:
                    yield Rejection(row.utterance_id, "prepare", "listed twice", str(evaluation))
                else:
                    seen.add(row.utterance_id)
                    yield row


def _evaluations(session: Path) -> list[Path]:
    expected = "the IEMOCAP tree with dialog/EmoEvaluation, dialog/transcriptions and sentences/wav"
    for folder in ("dialog/transcriptions", "sentences/wav"):
        listing.require_folder(session / folder, expected)
    # Its folders Attribute, Categorical and Self-evaluation hold single annotators'
    # files: not listed.
    found = listing.files(
        listing.require_folder(session / "dialog" / "EmoEvaluation", expected), (".txt",)
    )
    if not found:
        raise ConfigurationError(
            f"no evaluations in {session}/dialog/EmoEvaluation, expected Ses01F_impro01.txt and "
            "others"
        )
    return found


def _dialogue(session: Path, evaluation: Path) -> Iterator[Utterance | Rejection]:
    spoken = _transcripts(session / "dialog" / "transcriptions" / evaluation.name)
    lines = listing.read_text(evaluation).split("\n")
    turns = [index for index, line in enumerate(lines) if line.startswith("[")]
    for first, after in pairwise([*turns, len(lines)]):
        yield _turn(session, evaluation, lines[first], lines[first + 1 : after], spoken)


def _turn(
    session: Path, evaluation: Path, line: str, annotations: list[str], spoken: dict[str, str]
) -> Utterance | Rejection:
    match = TURN.fullmatch(line)
    if match is None:
        detail = (
            f"{evaluation}: {line!r}, expected [start - end] turn label "
            "[valence, activation, dominance]"
        )
        return Rejection(
            f"{evaluation.stem} {line[:40].strip()}",
            "prepare",
            "unparsable evaluation line",
            detail,
        )
    turn = match["turn"]
    name = TURN_NAME.fullmatch(turn)
    if name is None:
        return Rejection(
            turn, "prepare", "unparsable turn name", f"{evaluation}: expected Ses01F_impro01_F000"
        )
    if name["dialogue"] != evaluation.stem or name["session"] != f"Ses0{session.name[-1]}":
        return Rejection(
            turn,
            "prepare",
            "folder and file name disagree",
            f"{evaluation} lists a turn of {name['dialogue']}",
        )
    if match["label"] not in EMOTIONS:
        detail = f"{evaluation}: {match['label']!r}, expected one of {sorted(EMOTIONS)}"
        return Rejection(turn, "prepare", "label outside the scheme", detail)
    alignment = session / "sentences" / "ForcedAlignment" / name["dialogue"] / f"{turn}.wdseg"
    return Utterance(
        utterance_id=turn,
        corpus="iemocap",
        emotion=EMOTIONS[match["label"]],
        audio_path=(session / "sentences" / "wav" / name["dialogue"] / f"{turn}.wav").as_posix(),
        transcript=spoken.get(turn),
        language="en",
        speaker=f"{name['session']}_{name['speaker']}",
        sex={"F": "female", "M": "male"}[name["speaker"]],
        session=name["session"],
        dialogue=name["dialogue"],
        style=STYLES[name["style"]],
        alignment_path=alignment.as_posix() if alignment.is_file() else None,
        ratings=_ratings(match["ratings"]),
        votes=tuple(_votes(annotations)),
    )


def _ratings(text: str) -> dict[str, float]:
    values = re.findall(r"\d+(?:\.\d+)?", text)
    if len(values) != 3:
        return {}
    return dict(zip(("valence", "activation", "dominance"), map(float, values), strict=True))


def _votes(lines: list[str]) -> Iterator[str]:
    for line in lines:
        match = VOTE.match(line)
        if match is None:
            continue
        for label in match["labels"].split(";"):
            word = label.strip().lower()
            if word:
                yield f"{match['annotator']}:{VOTES.get(word, word)}"


def _transcripts(path: Path) -> dict[str, str]:
    """Words by turn; lines without turn and times (`M: [laughter]`) belong to no
    evaluated turn.
    """
    spoken: dict[str, str] = {}
    for line in listing.read_text(path).split("\n"):
        match = SPOKEN.fullmatch(line.strip())
        if match is not None and match["text"].strip():
            spoken.setdefault(match["turn"], match["text"].strip())
    return spoken
