import copy
import inspect
import json
from pathlib import Path

import pytest
import yaml

from pipeline import lookup
from pipeline import params as parameters
from pipeline.lookup import ConfigurationError
from tests.resources.params_document import DOCUMENT, WITHOUT_ALIGNMENT

ROOT = Path(__file__).parents[2]
NO_NAMES = ("..", "a/b", "x; touch y; true", "-x", "a b", "a.b", "", "é")


def test_a_whole_document_is_read() -> None:
    params = parameters.check(DOCUMENT)
    experiment = parameters.entry(params, "experiments", "first")
    assert experiment.recipe.epochs == 2 and experiment.recipe.learning_rate == 5e-4
    assert params.text["word2vec"] == lookup.component_config("text", "word2vec", {})
    assert params.alignment["either"].chain == {"pocketsphinx": {}, "uniform": None}
    assert parameters.entry(params, "acoustic", "fbank-long").max_frames == 500
    assert parameters.entry(params, "corpora", "manifest").reader == {"language": "de"}
    assert params.document["text"]["word2vec"] == {}


def test_an_empty_document_is_legal() -> None:
    assert parameters.check({}).experiments == {}
    assert parameters.check(dict.fromkeys(parameters.SECTIONS)).experiments == {}


@pytest.mark.parametrize("section", [*parameters.ROOMS])
@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_is_a_word(section: str, name: str) -> None:
    """Names become folders and parts of a command line."""
    document = copy.deepcopy(DOCUMENT)
    entries = document.setdefault(section, {"local": None})
    entries[name] = next(iter(entries.values()))
    with pytest.raises(ConfigurationError, match=r"is no name, use letters, digits, '_' and '-'"):
        parameters.check(document)


@pytest.mark.parametrize("network", sorted(lookup.systems()))
def test_published_hyperparameters_may_be_written_down(network: str) -> None:
    """As YAML has them: lists where Python has tuples."""
    system = lookup.system(network)
    keywords = inspect.signature(system).parameters.values()
    published = {
        item.name: item.default for item in keywords if item.kind is inspect.Parameter.KEYWORD_ONLY
    }
    written = json.loads(json.dumps(published))
    embedding = system.embeddings[0] if system.embeddings else "word2vec"
    inputs = {
        "acoustic": "waveform" if system.unit == "sample" else "fbank",
        "alignment": "either",
        "text": embedding,
    }
    read = {name: inputs[name] for name, needed in parameters.inputs_of(system).items() if needed}
    document = copy.deepcopy(DOCUMENT)
    document["text"][embedding] = {"path": "x"} if embedding in ("glove", "fasttext") else {}
    document["experiments"]["first"] = {
        "corpus": "manifest",
        "network": network,
        "split": "random-two",
        **read,
        "hyperparameters": written,
    }
    assert parameters.check(document).experiments["first"].hyperparameters == written


def test_names_that_do_not_exist_are_answered_with_those_that_do() -> None:
    params = parameters.check(DOCUMENT)
    for section, name, known in (
        ("experiments", "second", "first"),
        ("corpora", "demo", "manifest"),
        ("acoustic", "mfcc", "fbank"),
    ):
        message = rf"unknown name '{name}' in {section}, expected one of \['{known}'"
        with pytest.raises(ConfigurationError, match=message):
            parameters.entry(params, section, name)


def test_what_experiments_read_and_inputs_list_is_needed() -> None:
    needed = parameters.needed(parameters.check(DOCUMENT))
    assert {section: list(items) for section, items in needed.items()} == {
        "acoustic": ["manifest-fbank", "manifest-fbank-long"],
        "alignment": ["manifest-either"],
        "text": ["manifest-word2vec"],
        "splits": ["manifest-random-two"],
    }
    assert needed["acoustic"]["manifest-fbank"] == {"corpus": "manifest", "name": "fbank"}


def test_nothing_is_needed_for_an_input_that_is_not_read() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["experiments"]["first"] = {**WITHOUT_ALIGNMENT, "network": "M_CL_BL"}
    params = parameters.check(document)
    assert parameters.needed(params)["alignment"] == {}
    assert "alignment" not in parameters.describe(params, "first")


def test_a_description_holds_the_settings_as_they_were_written() -> None:
    described = parameters.describe(parameters.check(DOCUMENT), "first")
    assert described["acoustic"] == {"name": "fbank", "config": {"num_mel_bins": 40}}
    assert described["text"] == {"name": "word2vec", "config": {}}
    assert described["alignment"]["chain"] == {"pocketsphinx": {}, "uniform": None}
    assert described["recipe"]["epochs"] == 2 and described["tokens"] == {"lowercase": True}
    assert "joins" not in described
    document = copy.deepcopy(DOCUMENT)
    joined = {"root": "data/utterances", "reader": {"corpora": ["ravdess", "demo"]}}
    document["corpora"] |= {"joined": joined, "ravdess": {"root": "a"}, "demo": {"root": "b"}}
    document["experiments"]["first"] |= {"corpus": "joined"}
    described = parameters.describe(parameters.check(document), "first")
    assert described["joins"] == ["demo", "ravdess"]


def test_a_stage_reads_its_own_entry_whatever_the_others_say(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("acoustic: {fbank: {num_mel_bins: 23}, fbnk: {}}\ntext: 3\n")
    assert parameters.load_entry(path, "acoustic", "fbank").num_mel_bins == 23
    with pytest.raises(ConfigurationError, match=r"unknown name 'mfcc' in acoustic, expected"):
        parameters.load_entry(path, "acoustic", "mfcc")
    with pytest.raises(ConfigurationError, match="unknown acoustic component 'fbnk'"):
        parameters.load_entry(path, "acoustic", "fbnk")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "params.yaml is missing: run the command where params.yaml lies"),
        ("a: [1\nb: 2", "line 2 is not YAML: expected"),
        ("- a\n- b\n", "holds list, expected sections"),
        ("tokens", "holds str, expected sections"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: str | None, expected: str) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        parameters.load(path)
    assert expected in str(raised.value) and "\n" not in str(raised.value)


def test_the_committed_file_is_right() -> None:
    assert parameters.load(ROOT / "params.yaml").experiments


def test_a_file_reads_as_its_document(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    plain = copy.deepcopy(DOCUMENT)
    plain["experiments"]["first"]["hyperparameters"]["kernel_sizes"] = [3, 2]
    path.write_text(yaml.safe_dump(plain))
    assert parameters.load(path) == parameters.check(plain)


@pytest.mark.parametrize("root", ["$CORPORA/ravdess", "~/ravdess", "/a/${B}"])
def test_a_root_that_dvc_would_not_expand_is_refused(root: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["corpora"]["manifest"]["root"] = root
    with pytest.raises(ConfigurationError, match="would not be expanded by DVC, write the path"):
        parameters.check(document)
