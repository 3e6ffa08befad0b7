from tests.resources.divided import corpus, divided, folds_of, subsets


def test_folds_are_groups_of_speakers_of_nearly_equal_size():
    result = divided("speaker", corpus(per_speaker=10), folds=4)
    speakers = [{name[3:5] for name in subsets(result, fold)["test"]} for fold in folds_of(result)]
    assert sorted(map(len, speakers)) == [2, 2, 3, 3]
    assert sum(map(len, speakers)) == len(set().union(*speakers)) == 10


def test_named_speakers_are_tested_in_one_fold():
    result = divided("speaker", corpus(), test=["1F", "4M"])
    assert folds_of(result) == [0]
    assert {name[3:5] for name in subsets(result)["test"]} == {"1F", "4M"}
