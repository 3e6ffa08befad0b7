import pytest

from pipeline.schema import Utterance
from tests.resources import aligners


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """English sentences spoken by a synthesiser."""
    return list(aligners.write_speech(tmp_path_factory.mktemp("speech"))[0])
