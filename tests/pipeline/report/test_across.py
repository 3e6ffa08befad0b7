import dataclasses

from pipeline import folders, tables
from pipeline.report import across, page, results
from pipeline.report.experiments import experiments


def crossed(workplace):
    """The experiments of the workplace, as trained and tested in three ways."""
    models, data = workplace
    found = {item.name: item for item in experiments(models)}
    place = folders.metrics(folders.split(data, "demo", "session"))
    audit = tables.read_json(place)
    made = []
    for name, pair, ua in (("a", ("demo", "mine"), 0.5), ("b", ("mine", "demo"), 0.4)):
        split = f"cross-{name}"
        tables.write_json(
            folders.metrics(folders.split(data, "demo", split)),
            audit | {"across": dict(zip(("train", "test"), pair, strict=True))},
        )
        item = found["fg_cme-demo"]
        made.append(
            dataclasses.replace(
                item,
                name=f"fg_cme-{name}",
                settings={**item.settings, "split": split},
                metrics={**item.metrics, "ua": ua},
            )
        )
    return [*found.values(), *made], data, models


def test_rows_train_and_columns_test(workplace):
    found, data, models = crossed(workplace)
    (matrix,) = across.matrices(found, data)
    assert matrix.network == "FG_CME" and matrix.corpora == ["demo", "mine"]
    names = {pair: item.name for pair, item in matrix.cells.items()}
    assert names == {
        ("demo", "demo"): "fg_cme-demo",
        ("demo", "mine"): "fg_cme-a",
        ("mine", "demo"): "fg_cme-b",
    }
    assert matrix.text("demo", "mine").startswith("50.0 [") and matrix.text("mine", "mine") == "–"
    text = results.markdown(found, data)
    assert "## FG_CME across corpora" in text and "| mine | 40.0 [" in text
    html = page.html(found, data, models, {})
    assert "FG_CME across corpora" in html and 'href="#fg_cme-b">40.0 [' in html


def test_without_a_test_on_another_corpus_there_is_no_matrix(workplace):
    models, data = workplace
    assert across.matrices(experiments(models), data) == []
    assert "across corpora" not in results.markdown(experiments(models), data)
