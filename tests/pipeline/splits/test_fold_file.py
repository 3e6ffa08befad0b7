import json

import pytest

from pipeline.lookup import ConfigurationError
from tests.resources.divided import corpus, divided, rows, subsets


def test_every_form_of_a_list_gives_the_same_folds(tmp_path):
    utterances = corpus()
    fold_of = {item.utterance_id: int(item.session) for item in utterances}
    lists = [
        {
            "test": [name for name, own in fold_of.items() if own == fold],
            "train": [name for name, own in fold_of.items() if own != fold],
        }
        for fold in range(1, 6)
    ]
    subset_lines = [
        f"{name},{fold},{'test' if own == fold else 'train'}\n"
        for fold in range(1, 6)
        for name, own in fold_of.items()
    ]
    forms = {
        "folds.json": json.dumps(fold_of | {"someone_else": 1}),
        "folds.csv": "utterance_id,fold\n"
        + "".join(f"{name},{fold}\n" for name, fold in fold_of.items()),
        "subsets.csv": "utterance_id,fold,subset\n" + "".join(subset_lines),
        "lists.json": json.dumps(lists),
    }
    expected = rows(divided("session", utterances))
    for name, content in forms.items():
        path = tmp_path / name
        path.write_text(content)
        result = divided("fold_file", utterances, fold_file=str(path))
        assert rows(result) == expected, name
        assert result.audit["unknown_in_fold_file"] == ("someone_else" in content)


def test_a_validation_set_of_the_list_is_kept(tmp_path):
    utterances = corpus()
    of_session = {"4": "valid", "5": "test"}
    parts = {"train": [], "valid": [], "test": []}
    for item in utterances:
        parts[of_session.get(item.session, "train")].append(item.utterance_id)
    path = tmp_path / "lists.json"
    path.write_text(json.dumps([parts]))
    result = divided("fold_file", utterances, fold_file=str(path))
    assert subsets(result) == {name: set(ids) for name, ids in parts.items()}


def test_utterances_that_the_list_does_not_name_are_rejected(tmp_path):
    utterances = corpus()
    path = tmp_path / "folds.json"
    listed = {item.utterance_id: item.session for item in utterances if item.session != "3"}
    path.write_text(json.dumps(listed))
    result = divided("fold_file", utterances, fold_file=str(path))
    assert len(result.rejections) == 24
    assert {(item.reason, item.detail) for item in result.rejections} == {
        ("not in the fold list", "folds.json")
    }
    assert (result.audit["utterances"], result.audit["used"]) == (120, 96)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"is no JSON \(line 1: .*expected CSV"),
        ("{", r"is no JSON \(line 1: .*expected CSV"),
        ("[]", "names no utterance: expected CSV"),
        ('{"a": "first"}', "'first' is no number of a fold, expected CSV"),
        ('[{"training": ["Ses1F_000"]}]', r"subsets \['training'\], expected CSV"),
        ('{"nobody": 1, "else": 2}', "no fold has training and test utterances"),
        ('[{"train": ["Ses1F_000"], "test": ["Ses1F_000"]}]', "Ses1F_000 stands twice in fold 0"),
    ],
)
def test_an_odd_list_is_one_line(tmp_path, content, message):
    path = tmp_path / "folds.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"fold_file .*folds.json.*{message}") as error:
        divided("fold_file", corpus(), fold_file=str(path))
    assert "\n" not in str(error.value)


def test_an_utterance_in_two_folds_of_a_table_is_named(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_text("utterance_id,fold\nSes1F_000,1\nSes1F_001,2\nSes1F_000,2\n")
    with pytest.raises(ConfigurationError, match="Ses1F_000 stands twice in fold 2"):
        divided("fold_file", corpus(), fold_file=str(path))


def test_a_missing_list_is_named():
    with pytest.raises(ConfigurationError, match=r"nowhere\.csv cannot be read \(No such file"):
        divided("fold_file", corpus(), fold_file="nowhere.csv")
