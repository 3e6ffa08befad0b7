"""The utterances of anybody's recordings: what a table or their paths say of them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import lookup
from pipeline.corpora import manifest
from pipeline.lookup import ConfigurationError

SOUND = (".aif", ".aiff", ".au", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".w64", ".wav")
COLUMNS = ("utterance_id", "audio_path", "emotion", "speaker", "session", "transcript")
# The columns of other people's tables, by what they hold.
SYNONYMS = {
    "audio_path": ("audio_path", "file", "filename", "file_name", "path", "wav", "audio", "clip"),
    "emotion": ("emotion", "label", "class", "category", "target", "emotion_label"),
    "speaker": ("speaker", "speaker_id", "spk", "actor", "actor_id", "subject", "participant"),
    "session": ("session", "session_id"),
    "transcript": ("transcript", "transcription", "text", "sentence", "utterance", "words"),
}
FEWEST = 10  # utterances of a class that is told apart


@dataclass(frozen=True)
class Found:
    """Rows of the manifest, and what a person should know before the score.

    classes: utterances of each label that is told apart.
    """

    rows: list[dict[str, str]]
    classes: dict[str, int]
    notes: list[str]

    @property
    def speakers(self) -> int:
        """How many there are; 0 where one is not known."""
        names = [row["speaker"] for row in self.rows if row["emotion"] in self.classes]
        return len(set(names)) if all(names) else 0


def find(
    folder: Path, table: Path | None, pattern: str | None, columns: Mapping[str, str]
) -> Found:
    """The utterances of a folder of recordings, from a table or from their names.

    pattern: a path below the folder without its suffix, with {emotion}, {speaker},
    {session} for what is told and {} for the rest. `columns` names the table's columns
    that are not called what is expected. Raises ConfigurationError where there is
    nothing to train on.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder, expected the one of the recordings")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SOUND]
    paths = sorted(path.relative_to(folder) for path in found if not path.name.startswith("."))
    if not paths:
        raise ConfigurationError(
            f"no recordings below {folder}, expected files {', '.join(SOUND)}; links to other "
            "folders are not followed"
        )
    if table is not None:
        rows, notes = _from_table(table, paths, columns)
    else:
        rows, notes = _from_names(paths, pattern or "{emotion}/{}")
    counts = Counter(row["emotion"] for row in rows if row["emotion"])
    classes = {name: number for name, number in sorted(counts.items()) if number >= FEWEST}
    few = {name: number for name, number in counts.items() if name not in classes}
    if few:
        listed = ", ".join(f"{name} {number}" for name, number in sorted(few.items()))
        notes.append(f"left out, for a class needs {FEWEST} utterances: {listed}")
    if len(classes) < 2:
        raise ConfigurationError(
            f"{folder}: {len(classes)} labels with {FEWEST} utterances or more "
            f"({lookup.shown(dict(counts))}), expected two: state a table of labels with --table, "
            "or what the paths say with --names '{speaker}/{emotion}/{}'"
        )
    return Found(rows, classes, notes)


def _from_names(paths: Sequence[Path], pattern: str) -> tuple[list[dict[str, str]], list[str]]:
    fields = re.findall(r"{(\w*)}", pattern)
    wrong = sorted({field for field in fields if field} - {"emotion", "speaker", "session"})
    if wrong or "emotion" not in fields or len(fields) != pattern.count("{"):
        raise ConfigurationError(
            f"--names {pattern!r}, expected {{emotion}} and maybe {{speaker}}, {{session}} and {{}}"
        )
    repeated = [field for field, number in Counter(filter(None, fields)).items() if number > 1]
    if repeated:
        raise ConfigurationError(f"--names {pattern!r}: {{{repeated[0]}}} stands twice")
    parts = re.split(r"({\w*})", pattern)
    expression = "".join(
        re.escape(part)
        if not part.startswith("{")
        else (f"(?P<{part[1:-1]}>[^/]+?)" if part != "{}" else "[^/]*?")
        for part in parts
    )
    rows, strangers = [], []
    for path in paths:
        match = re.fullmatch(expression, path.with_suffix("").as_posix())
        said = match.groupdict() if match else {}
        if match is None:
            strangers.append(path.as_posix())
        rows.append(_row(path, {**said, "emotion": said.get("emotion", "").lower()}))
    if len(strangers) == len(paths):
        raise ConfigurationError(
            f"no recording is called like {pattern!r}; there are e.g. {strangers[:3]}: say with "
            "--names what the paths tell, {emotion}, {speaker}, and {} for the rest, or give "
            "--table"
        )
    if not strangers:
        return rows, []
    return rows, [
        f"{len(strangers)} recordings are not called like {pattern!r}, e.g. {strangers[0]}"
    ]


def _from_table(
    table: Path, paths: Sequence[Path], columns: Mapping[str, str]
) -> tuple[list[dict[str, str]], list[str]]:
    header, lines = manifest.table(table)
    named = {field: _column(table, header, field, columns.get(field)) for field in SYNONYMS}
    for field in ("audio_path", "emotion"):
        if named[field] is None:
            raise ConfigurationError(
                f"{table} has the columns {header}, none of which is {field}: name it with "
                f"--column {field}=NAME"
            )
    places: dict[str, list[Path]] = {}
    for path in paths:
        own = path.as_posix()
        for spelled in {own, path.name, path.with_suffix("").as_posix(), path.stem}:
            places.setdefault(spelled, []).append(path)
    rows, missing = [], []
    for line in lines:
        cells = {
            field: str(line.get(column) if line.get(column) is not None else "").strip()
            for field, column in named.items()
            if column is not None
        }
        spelled = cells.pop("audio_path").removeprefix("./")
        matches = places.get(spelled) or places.get(Path(spelled).name, [])
        if len(matches) > 1:
            raise ConfigurationError(
                f"{table}: {spelled!r} may be {matches[0]} or {matches[1]}: write the path below "
                "the folder"
            )
        if not matches:
            missing.append(spelled)
        rows.append(
            _row(
                matches[0] if matches else Path(spelled),
                {**cells, "emotion": cells["emotion"].lower()},
            )
        )
    listed = {row["audio_path"] for row in rows}
    unlisted = [path.as_posix() for path in paths if path.as_posix() not in listed]
    if len(missing) == len(rows):
        raise ConfigurationError(
            f"{table}: none of its {len(rows)} recordings is below the folder, e.g. {missing[:1]}"
        )
    notes = []
    if missing:
        notes.append(f"{len(missing)} recordings of {table} are not there, e.g. {missing[0]}")
    if unlisted:
        notes.append(f"{len(unlisted)} recordings are not in {table}, e.g. {unlisted[0]}")
    return rows, notes


def _column(table: Path, header: Sequence[str], field: str, named: str | None) -> str | None:
    if named is not None:
        if named not in header:
            raise ConfigurationError(f"{table} has no column {named!r}, expected one of {header}")
        return named
    known = {column.lower().replace(" ", "_"): column for column in header}
    matches = [known[name] for name in SYNONYMS[field] if name in known]
    return matches[0] if matches else None


def _row(path: Path, cells: Mapping[str, str]) -> dict[str, str]:
    name = re.sub(r"[^\w.-]", "_", path.with_suffix("").as_posix())
    row = dict.fromkeys(COLUMNS, "")
    return {**row, **cells, "utterance_id": name, "audio_path": path.as_posix()}
