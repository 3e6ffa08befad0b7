import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import yaml

from pipeline.demo import synthesis
from tests.resources import small_corpus

ROOT = Path(__file__).parents[2]
SAID = "she died and I miss her"


def spoken(path: Path) -> None:
    """The words of the documents, by a voice of the demo."""
    bounds = [(match.start(), match.end()) for match in re.finditer(r"\S+", SAID)]
    speech = synthesis.speak(SAID, bounds, synthesis.Manner("en-us"), sampling_rate=16000)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speech.waveform, speech.sampling_rate)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a small model that is called as in the documents."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_corpus.run_stages(monkeypatch, folder)
    (folder / "models" / "small").rename(folder / "models" / "fg_cme-demo")
    for path in folder.glob("models/fg_cme-demo/folds/**/*.json"):
        path.write_text(path.read_text().replace('"small"', '"fg_cme-demo"'))
    params = folder / "params.yaml"
    document = yaml.safe_load(params.read_text())
    # What the documents' commands bring beside it is that of the recipes.
    document["acoustic"]["fbank"] = {"num_mel_bins": 40}
    document["alignment"]["uniform"] = {"chain": {"uniform": {}}}
    experiment = {**document["experiments"]["small"], "hyperparameters": {}}
    document["experiments"] = {"fg_cme-demo": experiment}
    params.write_text(yaml.safe_dump(document))
    shutil.copytree(folder / "models" / "fg_cme-demo", folder / "models" / "words-demo")
    for path in folder.glob("models/words-demo/folds/**/*.json"):
        path.write_text(path.read_text().replace('"fg_cme-demo"', '"words-demo"'))
    for name in ("recording.wav", "recordings/one.wav"):
        spoken(folder / name)
    spoken(folder / "data" / "raw" / "demo" / "wav" / "Ses01_impro01_F000.wav")
    return folder


@pytest.fixture
def project(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(trained)
    yield trained
