"""EMO-DB (Berlin): ten actors speak ten German sentences in seven emotions.

Citation: F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss. A Database
of German Emotional Speech. Interspeech 2005.
https://doi.org/10.21437/Interspeech.2005-446

Layout: `wav/03a01Fa.wav`, or the files without that folder: characters 1-2 speaker, 3-5
sentence, 6 the German initial of the emotion, 7 version.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import _listing as listing
from pipeline.corpora._licence import Licence
from pipeline.corpora._totals import Count, Totals, per_value
from pipeline.lookup import checked
from pipeline.schema import Rejection, Utterance

# Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
WOMEN = ("08", "09", "13", "14", "16")
SAMPLING_RATE = 16000
# Newer mirrors state CC0: `redistribution: true` in params.yaml is for whoever has one.
LICENCE = Licence(
    "free of charge for research", "http://emodb.bilderbar.info", redistribution=False
)
TOTALS = Totals(
    part="speaker",
    parts=SPEAKERS,
    counts=(
        Count("utterances", 535),
        *per_value(
            "emotion", dict(zip(EMOTIONS.values(), (127, 81, 46, 69, 71, 62, 79), strict=True))
        ),
    ),
)
NAME = re.compile(rf"({'|'.join(SPEAKERS)})({'|'.join(SENTENCES)})([{''.join(EMOTIONS)}])[a-z]?")


@checked
class Config:
    """EMO-DB has nothing to configure."""


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the recordings, sorted by name; raises ConfigurationError where none is
    found.
    """
    listing.require_folder(root, "the EMO-DB folder that holds wav")
    folder = root / "wav" if (root / "wav").is_dir() else root
    paths = listing.files(folder, listing.AUDIO_SUFFIXES)
    layout = "speaker, sentence, emotion, version as in 03a01Fa"
    for item in listing.named(paths, folder, NAME, layout, "wav/03a01Fa.wav"):
        if isinstance(item, Rejection):
            yield item
            continue
        path, match = item
        speaker, sentence, emotion = match.groups()
        yield Utterance(
            utterance_id=path.stem,
            corpus="emodb",
            emotion=EMOTIONS[emotion],
            audio_path=path.as_posix(),
            transcript=SENTENCES[sentence],
            language="de",
            speaker=speaker,
            sex="female" if speaker in WOMEN else "male",
            style="scripted",
        )
