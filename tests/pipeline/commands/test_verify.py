"""`serflow verify` over the small corpus: whole, and with all that can be wrong."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline import cli, folders, lookup, shards, tables
from pipeline.commands import _outputs, verify
from pipeline.commands.verify import Verdict
from pipeline.schema import Utterance
from pipeline.shards import Rows, Shards, _files
from tests.resources import fabricated, recordings
from tests.resources.numbered_rows import small_shards

FBANK, SPANS = "acoustic/manifest/fbank", "spans/manifest/uniform"
WORD2VEC, GLOVE = "text/manifest/word2vec", "text/manifest/glove"
LISTED = {"manifest": {"acoustic": ["fbank-short"], "text": ["glove"]}}


@pytest.fixture
def whole(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what was built, and the params that built it all."""
    fabricated.run_serially(monkeypatch)
    for name in ("data", "corpus"):
        shutil.copytree(built / name, tmp_path / name)
    document = yaml.safe_load((built / "params.yaml").read_text())
    change_params(tmp_path, document | {"inputs": LISTED})
    # What was prepared names the recordings where they lay.
    place = tmp_path / "data/utterances/manifest/utterances.parquet"
    moved = [
        at(item, built / "corpus", tmp_path / "corpus") for item in tables.read_utterances(place)
    ]
    tables.write_utterances(place, moved)
    return tmp_path


def at(item: Utterance, before: Path, after: Path) -> Utterance:
    """The utterance with its recording in another folder."""
    if item.audio_path is None:
        return item
    return replace(item, audio_path=item.audio_path.replace(str(before), str(after)))


def change_params(folder: Path, document: dict) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(document))


def run(folder: Path, **options: object) -> dict[str, Verdict]:
    found = verify.verify(folder / "params.yaml", folder / "data", **options)
    return {item.output: item for item in found}


def remake(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Other values under the same keys, as another machine would have written them."""
    old = Shards(folder)
    rows = {name: Rows(name, change(old.read(name)), old.lost(name)) for name in old}
    keys = {name: old.key(name) for name in old}
    for path in (folder / "attributes.json", *folder.glob("shard-*.h5")):
        path.unlink()
    shards.build(
        folder, keys, lambda names: [rows[name] for name in names], iter, old.attributes, "remade"
    )


def test_what_was_built_here_is_the_same_bytes(whole: Path) -> None:
    found = run(whole, sample=None)
    states = {name: item.state for name, item in found.items()}
    assert states == {
        FBANK: "bytes equal",
        f"{FBANK}-short": "bytes equal",
        SPANS: "bytes equal",
        GLOVE: "bytes equal",
        WORD2VEC: "not compared",
    }
    assert verify.holds(list(found.values())) == "bytes"
    used = len(tables.read_utterances(whole / "data/utterances/manifest/utterances.parquet"))
    # Those that the stage rejected are rejected again.
    assert found[FBANK].compared == found[FBANK].bytes_equal == used
    assert found[SPANS].compared == used
    assert found[FBANK].made_by == (lookup.environment(),)


def test_a_sample_follows_from_the_seed(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    compare = _outputs.compare

    def noticed(work: tuple[_outputs.Output, _outputs.Group]) -> list[_outputs.Compared]:
        asked.extend(item.utterance_id for item in work[1])
        return compare(work)

    monkeypatch.setattr(_outputs, "compare", noticed)
    drawn = []
    for seed in (1, 1, 2):
        asked.clear()
        assert run(whole, only=[FBANK], sample=5, seed=seed)[FBANK].compared == 5
        drawn.append(list(asked))
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_command_says_what_holds(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole)
    said = CliRunner().invoke(cli.app, ["verify", "--sample", "2"])
    assert said.exit_code == 0
    assert "every byte that was made again is the same" in said.stdout
    assert f"{FBANK} " in said.stdout
    printed = CliRunner().invoke(cli.app, ["verify", "--sample", "2", "--json", FBANK])
    document = json.loads(printed.stdout)
    assert (printed.exit_code, document["holds"]) == (0, "bytes")
    assert document["environment"] == lookup.environment()
    (output,) = document["outputs"]
    assert (output["state"], output["compared"], output["apart"]) == ("bytes equal", 2, 0.0)
    wrong = CliRunner().invoke(cli.app, ["verify", "acoustic/manifest/mfcc"])
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("error: unknown output acoustic/manifest/mfcc, expected some")
    (whole / "data" / FBANK / "index.parquet").unlink()
    damaged = CliRunner().invoke(cli.app, ["verify", FBANK])
    assert damaged.exit_code == 1 and "index.parquet is missing" in damaged.stdout


def test_a_damaged_shard_is_named_and_the_others_are_compared(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_shards(monkeypatch)
    remake(whole / "data" / FBANK, lambda rows: rows)
    path = sorted((whole / "data" / FBANK).glob("shard-*.h5"))[2]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    held = Shards(whole / "data" / FBANK)
    inside = {name for name in held if held.file_of(name) == path.name}
    found = run(whole, sample=None)
    assert found[FBANK].state == "damaged"
    assert found[FBANK].details[0].startswith(f"{path.name} is not the file that")
    assert found[FBANK].compared == found[SPANS].compared - len(inside)
    assert found[f"{FBANK}-short"].state == "bytes equal"


def test_other_settings_are_stale(whole: Path) -> None:
    document = yaml.safe_load((whole / "params.yaml").read_text())
    document["acoustic"]["fbank"] = {"num_mel_bins": 9}
    document["text"]["word2vec"]["vector_size"] = 5
    change_params(whole, document)
    found = run(whole, sample=1)
    assert found[FBANK].state == "stale"
    assert "were made of other settings, code or input, e.g." in found[FBANK].details[0]
    assert found[WORD2VEC].state == "stale"
    assert found[f"{FBANK}-short"].state == "bytes equal"


def test_utterances_without_rows_are_stale(whole: Path) -> None:
    rejects = whole / "data" / FBANK / folders.REJECTS
    lost = tables.read_rejections(rejects)
    tables.write_rejections(rejects, lost[1:])
    (line,) = run(whole, only=[FBANK])[FBANK].details
    assert "1 of" in line and f"neither there nor rejected, e.g. {lost[0].utterance_id}" in line


@pytest.mark.parametrize(
    ("noise", "state"), [(1e-4, "equal within tolerance"), (1e-2, "drift"), (np.nan, "drift")]
)
def test_values_of_another_machine(
    whole: Path, noise: float, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)

    def change(rows: np.ndarray) -> np.ndarray:
        moved = noise * rows.std(axis=0) * generator.uniform(-1, 1, rows.shape)
        return (rows + moved).astype(np.float32)

    elsewhere = {**lookup.environment(), "numpy": "1.0"}
    with monkeypatch.context() as other:
        other.setattr(_files, "environment", lambda: elsewhere)
        remake(whole / "data" / FBANK, change)
    found = run(whole, sample=None, only=[FBANK])[FBANK]
    assert found.state == state and found.made_by == (elsewhere,)
    assert found.bytes_equal < found.compared
    assert (found.apart is None) == np.isnan(noise)
    here = lookup.environment()["numpy"]
    assert found.details[-1] == f"made with numpy 1.0, here {here}"


def test_a_bad_recording_does_not_stop_the_others(whole: Path) -> None:
    (whole / "corpus/wav/u03.wav").unlink()
    recordings.write(whole / "corpus/wav/u04.wav", seconds=0.58, seed=77)
    # Was rejected as too short.
    recordings.write(whole / "corpus/short.wav", seconds=0.5, seed=90)
    found = run(whole, sample=None, only=[FBANK])[FBANK]
    assert found.state == "drift"
    details = "\n".join(found.details)
    assert "u03: audio not found" in details
    assert "u04: its recording is not the one that prepare read" in details
    assert "too short: its recording is not the one that prepare read" in details
    # u01 again is a second name of another recording.
    assert found.bytes_equal == found.compared - 3


@pytest.mark.parametrize(("seconds", "state"), [(0.004, "equal within tolerance"), (0.05, "drift")])
def test_word_times_that_moved(whole: Path, seconds: float, state: str) -> None:
    path = whole / "data" / SPANS / folders.SPANS
    spans = [item for row in tables.read_spans(path).values() for item in row]
    moved = [replace(item, end=item.end + seconds) for item in spans]
    metadata = tables.read_parquet(path).schema.metadata or {}
    tables.write_spans(
        path,
        tables.span_table(moved),
        {key.decode(): text.decode() for key, text in metadata.items()},
    )
    found = run(whole, sample=3, only=[SPANS])[SPANS]
    assert found.state == state and found.compared == 3


def test_a_table_of_words_is_looked_up_again(whole: Path) -> None:
    path = whole / "data" / GLOVE / "table.npy"
    table = np.load(path)
    np.save(path, table + np.float32(0.1))
    damaged = run(whole, only=[GLOVE])[GLOVE]
    assert damaged.state == "damaged" and "table.npy is damaged" in damaged.details[0]
    fabricated.state_again(path.parent)
    found = run(whole, only=[GLOVE])[GLOVE]
    assert found.state == "drift"


def test_what_is_not_here_is_absent(whole: Path) -> None:
    shutil.rmtree(whole / "data" / SPANS)
    found = run(whole, sample=1)
    assert found[SPANS].state == "absent" and "`dvc pull` fetches it" in found[SPANS].details[0]
    assert found[FBANK].state == "bytes equal"
    assert verify.holds(list(found.values())) == "neither"


def test_equal_within_the_tolerance() -> None:
    rows = np.random.default_rng(0).normal(5, 2, (50, 3)).astype(np.float32)
    assert _outputs.apart(rows, rows.copy()) == 0
    assert 0 < _outputs.apart(rows, rows + np.float32(1e-3)) < 1
    assert _outputs.apart(rows, rows + np.float32(1e-2)) > 1
    assert _outputs.apart(rows, rows[:-1]) == float("inf")
    assert _outputs.apart(np.zeros((2, 1), np.float32), -np.zeros((2, 1), np.float32)) <= 1
    assert 0 < _outputs.apart(rows[:1], rows[:1] * np.float32(1.0001)) < 1
    assert _outputs.apart(rows[:1], rows[:1] * np.float32(1.01)) > 1
