"""The transcript that came with the recording: from the corpus's reader, or a text file
beside the recording.
"""

from pathlib import Path

from pipeline.lookup import checked
from pipeline.schema import Transcript, TranscriptionError, Utterance
from pipeline.transcription import _one_by_one as one_by_one

LONGEST = 1_000_000  # characters of a text beside a recording
NAME = "given"


@checked
class Config:
    """`suffix`: that of UTF-8 text files beside the recordings, e.g. '.txt' or '.lab',
    for those whose corpus has no words; None looks for none.
    """

    suffix: str | None = None


def provenance(config: Config) -> dict[str, str]:
    """Nothing: what is given was not made here."""
    return {}


@one_by_one.recogniser
def transcribe(utterance: Utterance, config: Config) -> Transcript:
    """The transcript as it was given."""
    if utterance.transcript and utterance.transcript.strip():
        return Transcript(utterance.transcript, NAME, utterance.language)
    if config.suffix is None or utterance.audio_path is None:
        raise TranscriptionError("no transcript given", "the corpus states no words")
    if utterance.start is not None or utterance.end is not None:
        raise TranscriptionError(
            "no transcript given", "the text beside a recording is not that of a part of it"
        )
    path = Path(utterance.audio_path).with_suffix(config.suffix)
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LONGEST + 1)
    except FileNotFoundError:
        raise TranscriptionError("no transcript given", f"there is no {path}") from None
    except (OSError, ValueError) as error:
        raise TranscriptionError("transcript unreadable", f"{path}: {error}") from None
    if len(text) > LONGEST:
        raise TranscriptionError("transcript unreadable", f"{path}: over {LONGEST} characters")
    return Transcript(" ".join(text.split()), NAME, utterance.language)
