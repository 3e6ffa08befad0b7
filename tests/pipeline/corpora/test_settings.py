from typing import Any

import pytest

from pipeline import corpora, params
from pipeline.commands import build
from pipeline.lookup import ConfigurationError


@pytest.mark.parametrize("place", ["$CORPORA/mine", "${corpora}/mine", "~/mine", "/data/$USER"])
@pytest.mark.parametrize("setting", ["root", "reader.audio_root"])
def test_a_place_that_dvc_would_not_expand_is_refused(setting: str, place: str) -> None:
    values: dict[str, Any] = {"root": place}
    if setting != "root":
        values = {"root": "data/raw/mine", "reader": {"audio_root": place}}
    with pytest.raises(ConfigurationError) as raised:
        corpora.settings("manifest", values)
    assert str(raised.value).startswith(f"corpora.manifest.{setting}: {place!r} would not be")


def test_dvc_watches_recordings_that_lie_elsewhere() -> None:
    manifest = {"root": "data/raw/mine", "reader": {"audio_root": "/recordings"}}
    document = {"corpora": {"manifest": manifest}, "inputs": {"manifest": {}}}
    items = build.items(params.check(document))
    assert items["prepare"]["manifest"]["deps"][:2] == ["data/raw/mine", "/recordings"]
