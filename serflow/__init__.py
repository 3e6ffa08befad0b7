"""SERflow from Python: a trained model, features, word times, results.

    import serflow

    model = serflow.load("models/fg_cme-demo")
    answer = model.predict("recording.wav", text="what is said")

The commands of `serflow` call the same functions. What cannot be used raises one of
`ConfigurationError`, `AudioError`, `AlignmentError` and `TranscriptionError`, whose
message fits one line and says what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.audio import AudioError
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, TranscriptionError

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.commands import trained
    from pipeline.commands.trained import Prediction

__all__ = [
    "AlignmentError",
    "AudioError",
    "ConfigurationError",
    "Model",
    "Results",
    "TranscriptionError",
    "__version__",
    "align",
    "features",
    "load",
    "read_results",
]


@dataclass(frozen=True)
class Model:
    """A trained model, which `load` returns."""

    loaded: "trained.Model"

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions that it tells apart."""
        return tuple(self.loaded.description["classes"])

    @property
    def reads_words(self) -> bool:
        """Whether it reads words beside the recording, or instead of one."""
        return self.loaded.reads_words

    def predict(
        self,
        recording: str | PathLike[str] | None,
        text: str | None = None,
        language: str | None = None,
    ) -> "Prediction":
        """Class probabilities of a recording, the mean of the model's networks.

        recording: a file of sound, None for a model that reads words alone. text: what
        is said, for a model that reads words; without it a recogniser writes it down.
        language: of the text; None is the model's own. The answer has `probabilities`
        (by class), `emotion` (the most probable), `confidence` (its probability),
        `words` and `aligner` (who placed them), and `unknown`: words that training did
        not have.
        """
        from pipeline.commands import predict

        place = None if recording is None else Path(recording)
        return predict.predict(place, text, self.loaded, language)


@dataclass(frozen=True)
class Results:
    """What was evaluated.

    experiments: a row for each, with corpus, split, network, scores (shares in [0, 1])
    and intervals. folds: scores of each fold and seed. predictions: a row for each
    tested utterance, with label, predicted class and probabilities.
    """

    experiments: "pd.DataFrame"
    folds: "pd.DataFrame"
    predictions: "pd.DataFrame"


def load(folder: str | PathLike[str], device: str = "cpu") -> Model:
    """A trained model: `models/<experiment>`, or a folder of `serflow export`.

    device: 'cpu', 'cuda', or 'auto' for CUDA where it is there. Every file is checked
    before it is used, and nothing is unpickled.
    """
    from pipeline.commands import trained

    return Model(trained.load(Path(folder), device))


def features(
    recording: str | PathLike[str], feature: str = "short_term", **settings: Any
) -> "pd.DataFrame":
    """The frames of a recording as a table: a row for each, by the time of its centre
    in seconds, a column for each value, e.g. `energy` or `mfcc_1`.

    feature: 'short_term', 'mfcc', 'fbank', 'spectrogram', 'waveform', 'egemaps', 'ssl'.
    settings: as in params.yaml, e.g. frame_length=0.05, frame_shift=0.025 (seconds).
    """
    from pipeline.commands import one_recording

    return one_recording.features(Path(recording), feature, settings)


def align(
    recording: str | PathLike[str],
    text: str,
    language: str = "en",
    chain: Mapping[str, Mapping[str, Any] | None] | None = None,
) -> "pd.DataFrame":
    """Where the words of a text lie in a recording: a row for each, with `word`,
    `start` and `end` in seconds, `confidence` and `aligner`.

    chain: aligners and their settings, as in params.yaml; without it the English
    recogniser that comes with SERflow.
    """
    from pipeline.commands import one_recording

    return one_recording.align(Path(recording), text, language, chain or {"pocketsphinx": None})


def read_results(models: str | PathLike[str] = "models") -> Results:
    """Scores and predictions of all evaluated experiments below a folder, as tables."""
    from pipeline.report import results

    return Results(**results.frames(Path(models)))
