"""What a prediction is asked of: recordings in folders, files and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import corpora
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance

# What libsndfile decodes; the rest goes through PyAV.
SOUND = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
VIDEO = (
    ".mp4", ".m4a", ".m4v", ".mov", ".mkv", ".mka", ".avi", ".webm", ".aac", ".wma", ".3gp", ".mpg",
    ".mpeg",
)  # fmt: skip
TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Found:
    """Recordings in the order in which they were named, and what cannot be one.

    other: how many files of the folders are no recordings.
    """

    utterances: tuple[Utterance, ...]
    rejected: tuple[Rejection, ...]
    other: int = 0


def find(sources: Sequence[Path], language: str, transcript: str | None = None) -> Found:
    """The recordings that files, folders and tables of recordings name.

    `language` and `transcript` are for those that a table states none for. Raises
    ConfigurationError where a source is missing, or no recording is found.
    """
    utterances: list[Utterance] = []
    rejected: list[Rejection] = []
    other = 0
    for source in sources:
        if source.is_dir():
            inside = corpora.files(source, (*SOUND, *VIDEO), deep=True)
            other += sum(1 for path in source.rglob("*") if path.is_file()) - len(inside)
            utterances += [_recording(path, language, transcript) for path in inside]
        elif source.suffix.lower() in TABLES:
            rows = list(corpora.recordings(source, language, transcript))
            utterances += [row for row in rows if isinstance(row, Utterance)]
            rejected += [row for row in rows if isinstance(row, Rejection)]
        elif source.is_file():
            utterances.append(_recording(source, language, transcript))
        else:
            raise ConfigurationError(
                f"{source} is not there, expected a recording, a folder of recordings or a table "
                f"({', '.join(TABLES)}) with a column audio_path"
            )
    if not utterances and not rejected:
        known = ", ".join((*SOUND, *VIDEO))
        raise ConfigurationError(
            f"no recording in {', '.join(map(str, sources))}, expected files that end in {known}"
        )
    return Found(tuple(utterances), tuple(rejected), other)


def is_video(path: str) -> bool:
    """Whether a recording is decoded by PyAV."""
    return Path(path).suffix.lower() in VIDEO


def _recording(path: Path, language: str, transcript: str | None) -> Utterance:
    return Utterance(
        path.stem, "", "", audio_path=path.as_posix(), transcript=transcript, language=language
    )
