import json

import pytest
from typer.testing import CliRunner

from pipeline import cli, folders
from pipeline.evaluation import significance
from pipeline.lookup import ConfigurationError
from pipeline.report.comparison import compare, sentence
from pipeline.report.experiments import experiments


def pair(value=0.05, low=0.01, high=0.09, p=0.01, needed=200, **more):
    return {
        "first": "a", "second": "b", "n": 300, "resampled": "speakers", "units": 10,
        "ua_difference": {
            "value": value, "low": low, "high": high, "p": p, "p_holm": p, "needed": needed
        },
        "mcnemar": {"p_holm": 0.001},
        **more,
    }  # fmt: skip


def test_a_sentence_names_the_better_one_and_its_interval():
    measured = "95 % interval +1.0 to +9.0, p 0.010, 300 utterances, 10 speakers drawn"
    assert sentence(pair()) == f"b is better than a by 5.0 points of UA ({measured})."
    swapped = sentence(pair(-0.05, -0.09, -0.01))
    assert swapped == f"a is better than b by 5.0 points of UA ({measured})."


def test_two_tests_that_disagree_are_both_told():
    said = sentence(pair(mcnemar={"p_holm": 0.06}))
    assert said.endswith("does not show it (p 0.060).")


def test_no_difference_shown_is_said_with_the_utterances_that_it_needs():
    said = sentence(pair(0.02, -0.03, 0.07, 0.4, 5321))
    assert said.startswith("b and a are not shown to differ: b is 2.0 points of UA higher (")
    assert said.endswith("A difference of this size would show in about 5,321 test utterances.")
    assert sentence(pair(0.0, 0.0, 0.0, 1.0, None)).startswith("b and a have the same UA (")


@pytest.mark.parametrize(("p", "said"), [(0.024, "a is worse by less"), (0.03, "a is not shown")])
def test_a_margin_has_a_sentence(p, said):
    tested = {"margin": 0.015, "p": p, "p_holm": p}
    text = sentence(pair(noninferior=tested))
    assert said in text and "1.5 points (one-sided p 0.0" in text


def test_the_command_compares_the_experiments_of_a_corpus(workplace):
    models, data = workplace
    words = ["compare", "fg_cme-demo", "voice-demo", "--noninferior", "2.0", "--json"]
    ended = CliRunner().invoke(cli.app, [*words, "--models", str(models), "--data", str(data)])
    assert ended.exit_code == 0, ended.output
    (found,) = json.loads(ended.stdout)
    tables = {item.name: item.predictions for item in experiments(models)}
    speakers = {f"u{i:04d}": f"s{i // 4 % 8}" for i in range(160)}
    chosen = {name: tables[name] for name in ("fg_cme-demo", "voice-demo")}
    (expected,) = significance.compare_all(chosen, speakers, 10_000, margin=0.02)
    assert {key: found[key] for key in expected} == expected
    assert found["resampled"] == "speakers" and "is better than voice-demo" in found["sentence"]
    shown = CliRunner().invoke(cli.app, [*words[:-1], "--models", str(models), "--data", str(data)])
    assert found["sentence"] in shown.stdout


def test_what_cannot_be_compared_is_named(workplace):
    models, data = workplace
    for names, message in (
        (["fg_cme-demo", "voice"], "no evaluated experiment 'voice' in .*, expected one of"),
        (["fg_cme-demo"], "name two experiments or more, each once"),
        (["fg_cme-demo", "fg_cme-demo"], "name two experiments or more, each once"),
        (["fg_cme-demo", "<mine>"], "tested on demo, <mine> on mine: only experiments on one"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            compare(names, models, data)
    with pytest.raises(ConfigurationError, match=r"--noninferior 0: points of UA"):
        compare(["fg_cme-demo", "voice-demo"], models, data, 0.0)
    (models / "voice-demo" / folders.PREDICTIONS).unlink()
    with pytest.raises(ConfigurationError, match=r"predictions.parquet is missing, `dvc pull` or"):
        compare(["fg_cme-demo", "voice-demo"], models, data)
