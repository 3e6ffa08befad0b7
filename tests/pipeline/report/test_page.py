import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.report import card, page
from pipeline.report.experiments import experiments

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Collects texts, ids and links, and fails on a tag that is not closed where it
    should be.
    """

    def __init__(self):
        super().__init__()
        self.open, self.text, self.ids, self.links = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def parsed(path: Path) -> Page:
    made = Page()
    made.feed(path.read_text(encoding="utf-8"))
    assert made.open == []
    return made


def test_the_page_stands_alone_and_says_what_counts(workplace, tmp_path):
    models, data = workplace
    paths = page.write(experiments(models), data, tmp_path / "report")
    assert [path.name for path in paths] == ["index.html", "results.md", "results.csv"]
    made = parsed(paths[0])
    text = " ".join(made.text)
    assert all(link.startswith(("data:", "#")) for link in made.links), (
        "nothing comes from the network"
    )
    for link in made.links:
        if link.startswith("#"):
            assert link[1:] in made.ids, f"{link} leads nowhere"
    assert "No human being speaks in the demo corpora" in text
    for name in ("fg_cme-demo", "voice-demo", "<mine>"):
        assert name in made.ids
    assert "No speaker of a test fold is heard in its training." in text
    assert "Training has heard the test speakers" in text
    assert "audio <truncated>" in text
    assert "no word spans" in text
    assert "differ" in text
    assert "starts are 10 ms off (median), 96 % within 50 ms" in text
    assert "{{" not in text and "{%" not in text, "a placeholder was left"


def test_every_headline_on_the_page_is_the_metric(workplace, tmp_path):
    models, data = workplace
    made = parsed(page.write(experiments(models), data, tmp_path / "report")[0])
    text = " ".join(made.text)
    for item in experiments(models):
        for value in (item.metrics["ua"], item.metrics["wa"], item.metrics["test_selected"]["ua"]):
            assert f"{100 * value:.1f}" in text


def test_real_corpora_bear_no_banner(workplace, tmp_path):
    models, data = workplace
    for name in ("fg_cme-demo", "voice-demo"):
        (models / name / "metrics.json").unlink()
    path = page.write(experiments(models), data, tmp_path / "report")[0]
    assert "Synthetic" not in " ".join(parsed(path).text)


def test_without_data_or_predictions_the_page_says_what_is_missing(workplace, tmp_path):
    models, _ = workplace
    for path in models.glob("*/predictions.parquet"):
        path.unlink()
    made = parsed(page.write(experiments(models), tmp_path / "nowhere", tmp_path / "report")[0])
    text = " ".join(made.text)
    assert "The metrics.json of the split is not here" in text
    empty = parsed(page.write([], tmp_path / "nowhere", tmp_path / "empty")[0])
    assert "No experiment has been evaluated yet" in " ".join(empty.text)


def test_the_same_results_give_the_same_bytes(workplace, tmp_path):
    models, data = workplace
    first, second = (
        page.write(experiments(models), data, tmp_path / name) for name in ("one", "two")
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_experiments_on_different_states_of_a_corpus_are_not_compared(workplace, tmp_path):
    models, data = workplace
    path = models / "voice-demo" / "predictions.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("label")
    pq.write_table(table.set_column(place, "label", pa.array(["sad"] * len(table))), path)
    text = " ".join(parsed(page.write(experiments(models), data, tmp_path / "report")[0]).text)
    assert "Not compared" in text
    assert "with another label" in text


def test_pictures_are_on_the_page_once(workplace, tmp_path):
    models, data = workplace
    drawing = '<svg width="{}pt" height="72pt"></svg>'
    for name, width in (("fg_cme-demo", 72), ("voice-demo", 144)):
        folder = tmp_path / "report" / "plots" / name
        folder.mkdir(parents=True)
        (folder / "tsne.svg").write_text(drawing.format(width))
        (folder / "alignment.svg").write_text(drawing.format(36))
        (folder / "notes.svg").write_text(drawing.format(1))
    made = parsed(page.write(experiments(models), data, tmp_path / "report")[0])
    pictures = [link for link in made.links if link.startswith("data:image/svg+xml")]
    assert len(pictures) == len(set(pictures)) == 3


def test_no_section_and_no_complaint_on_what_a_system_does_not_read(workplace, tmp_path):
    models, data = workplace
    found = experiments(models)
    for item in found:
        item.settings["alignment"] = item.settings["text"] = None
    text = " ".join(parsed(page.write(found, data, tmp_path / "report")[0]).text)
    assert "fbank" in text
    for word in ("pocketsphinx", "word2vec", "Word alignment", "aligner", "None"):
        assert word not in text


def test_what_was_not_drawn_stands_on_the_card(workplace, tmp_path):
    models, data = workplace
    undrawn = {"voice-demo": ["no tsne.png: the network <mine> has no method `embed`"]}
    path = page.write(experiments(models), data, tmp_path / "report", undrawn)[0]
    assert undrawn["voice-demo"][0] in parsed(path).text


def test_the_best_test_epoch_is_not_said_to_be_always_higher(workplace, tmp_path):
    # It is picked by one measure, so the other can be lower: here UA .70 under .75.
    models, data = workplace
    found = experiments(models)
    found[0].metrics["ua"], found[0].metrics["test_selected"]["ua"] = 0.75, 0.7
    text = " ".join(parsed(page.write(found, data, tmp_path / "report")[0]).text)
    assert "always as high or higher" not in text
    assert "the other one can be lower" in text
    assert "75.0" in text and "70.0" in text


def test_the_card_says_that_word_vectors_were_trained(workplace):
    models, _ = workplace
    (chosen,) = [item for item in experiments(models) if item.name == "fg_cme-demo"]
    assert card.facts(chosen)["words"] == "word2vec"
    for path in chosen.folder.rglob("checkpoint.json"):
        described = json.loads(path.read_text()) | {"train_embedding": True}
        path.write_text(json.dumps(described))
    told = card.facts(replace(chosen))
    assert told["words"] == "word2vec, vectors trained with the network"
