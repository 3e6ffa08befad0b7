from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.resources import small_corpus


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The small corpus and a network trained on it: fbank, words spread evenly,
    word2vec fitted on each fold.
    """
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_corpus.run_stages(monkeypatch, folder)
    yield folder
