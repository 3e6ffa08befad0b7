"""`serflow predict`: one recording to the terminal, many into a table."""

from collections.abc import Sequence
from pathlib import Path

from pipeline import audio, lookup
from pipeline.alignment import Pauses
from pipeline.commands import _sources as sources_of
from pipeline.commands import predict as prediction
from pipeline.commands import predict_many as batch
from pipeline.commands import trained
from pipeline.lookup import ConfigurationError


def run(
    sources: Sequence[Path],
    text: str | None,
    model: Path,
    language: str | None,
    as_json: bool,
    out: Path | None,
    recogniser: str | None,
    device: str,
    longest: float,
) -> None:
    """Does what the command was asked for; the parameters are its options."""
    chain = prediction.chain_of(recogniser) if recogniser else None
    pauses = lookup.configure(Pauses, {"longest": longest}, "--longest")
    if out is None and _is_one(sources, text, longest):
        loaded = trained.load(model, device)
        recording = sources[0] if sources else None
        found = prediction.predict(recording, text, loaded, language, chain)
        prediction.show(found, as_json, prediction.notes(loaded))
        return
    if as_json:
        raise ConfigurationError(
            "--json prints the answer for one short recording: for several name --out FILE.csv or "
            "FILE.parquet"
        )
    if not sources:
        raise ConfigurationError("--out writes a table: name recordings, folders or a table")
    target = out or Path("predictions.csv")
    show(batch.predict_all(sources, model, target, language, chain, pauses, device, text))


def _is_one(sources: Sequence[Path], text: str | None, longest: float) -> bool:
    """Whether one answer is asked for: no recording, or one that is not cut."""
    if not sources:
        return True
    if len(sources) > 1 or sources[0].is_dir() or sources[0].suffix.lower() in sources_of.TABLES:
        return False
    if not sources[0].is_file():
        raise ConfigurationError(f"{sources[0]} is not there, expected a recording or a folder")
    if sources_of.is_video(str(sources[0])):
        return False
    return text is not None or audio.duration(sources[0]) <= longest


def show(summary: batch.Summary) -> None:
    """Prints what came of a batch to standard error."""
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False)

    total = summary.answered + summary.unanswered.total()
    without = total - summary.answered
    say(f"{summary.out}: {total} utterances = {summary.answered} answered + {without} without")
    for reason, number in summary.unanswered.most_common():
        say(f"  {number} × {reason}")
    for emotion, number in summary.emotions.most_common():
        say(f"  {number} {emotion}")
    if summary.taken_over:
        say(f"  {summary.taken_over} taken over from an earlier command")
    if summary.other_files:
        say(f"  {summary.other_files} files are no recordings")
    if summary.audio:
        speed = ", ".join(
            f"{step} {value / summary.audio:.4f}" for step, value in summary.steps.items()
        )
        say(
            f"{summary.audio / 3600:.2f} h of audio in {summary.elapsed:.0f} s, "
            f"{summary.audio / summary.elapsed:.1f} times real time"
            + (f"; seconds of a processor for a second of audio: {speed}" if speed else "")
        )
    if summary.unknown:
        shown = ", ".join(word for word, _ in summary.unknown.most_common(10))
        say(
            f"{summary.unknown.total()} of {summary.words} words ({len(summary.unknown)} "
            "different) are not in the model's training: "
            f"{shown}{' …' * (len(summary.unknown) > 10)}"
        )
    for line in summary.notes:
        say(line)
