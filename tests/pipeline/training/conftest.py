from collections.abc import Iterator

import pytest

from pipeline.training.inputs import Folders
from tests.resources import fabricated


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Folders]]:
    """Inputs of one system of every paper; CMA_raw reads waveforms, the others share
    theirs.
    """
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as monkeypatch:
        fabricated.run_serially(monkeypatch)
        common = fabricated.write_inputs(data / "frames", fabricated.experiment())
        raw = fabricated.write_inputs(data / "raw", fabricated.experiment("CMA_raw"))
    yield {network: raw if network == "CMA_raw" else common for network in fabricated.SMALL}
