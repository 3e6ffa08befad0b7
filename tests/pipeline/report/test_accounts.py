from pipeline import folders
from pipeline.report import accounts
from pipeline.report.experiments import experiments
from pipeline.tables import write_json


def test_accounts_name_every_stage_and_reason(workplace):
    models, data = workplace
    metrics = folders.metrics(folders.text(data, "demo", "word2vec"))
    write_json(metrics, {"used": 158, "rejected": 2})
    item = next(item for item in experiments(models) if item.name == "fg_cme-demo")
    found = {account.stage: account for account in accounts.accounts(item, data)}
    assert found["prepare"].reasons == {"audio <truncated>": 1}
    assert found["split session"].reasons == {"label outside the scheme": 1}
    assert found["tested"].reasons == {"no word spans": 1}
    assert found["text word2vec"].used == 158
    assert (found["tested"].used, found["prepare"].used, found["prepare"].rejected) == (159, 160, 1)


def test_inputs_that_a_system_does_not_read_have_no_account(workplace):
    models, data = workplace
    item = experiments(models)[0]
    item.settings["alignment"] = item.settings["text"] = None
    assert [account.stage for account in accounts.accounts(item, data)] == [
        "prepare",
        "split session",
        "tested",
    ]
    assert accounts.align_metrics(item, data) == {}
