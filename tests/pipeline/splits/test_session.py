from tests.resources.divided import corpus, divided, folds_of, subsets


def test_one_session_is_tested_in_each_fold():
    result = divided("session", corpus())
    tested = [{name[:4] for name in subsets(result, fold)["test"]} for fold in folds_of(result)]
    assert tested == [{"Ses1"}, {"Ses2"}, {"Ses3"}, {"Ses4"}, {"Ses5"}]


def test_one_session_is_tested_where_the_paper_tests_one():
    result = divided("session-cbla", corpus(), test=["5"])
    assert folds_of(result) == [0]
    assert all(name.startswith("Ses5") for name in subsets(result)["test"])
    assert len(subsets(result)["test"]) == 24
