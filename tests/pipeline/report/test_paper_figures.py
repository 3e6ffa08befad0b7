from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline import cli, lookup
from pipeline.lookup import ConfigurationError
from pipeline.report import paper_figures, stated
from pipeline.report.figures_cbla import MULTIMODAL, UNIMODAL
from pipeline.report.figures_fg_cme import ABLATIONS
from tests.resources.evaluated import FOUR, LABELS, add, drawn, give_vectors, read, sources_of


def test_recall_of_all_eleven_systems_of_cbla(tmp_path: Path, text_in_svg: None) -> None:
    assert set(UNIMODAL) | set(MULTIMODAL) == set(lookup.component("networks", "cbla").__all__)
    ours = {
        name: add(tmp_path, f"table-{name}", name, classes=LABELS["cbla"])
        for name in (*UNIMODAL, *MULTIMODAL)
    }
    made = drawn(tmp_path, "cbla")
    assert made.missing == []
    values = {(i.system, i.metric): i.value for i in stated.published("cbla")}
    drawings = {"fig5_recall_unimodal": UNIMODAL, "fig6_recall_multimodal": MULTIMODAL}
    for name, systems in drawings.items():
        rows = read(made, name)
        assert [row["system"] for row in rows[::4]] == list(systems)
        for row in rows:
            recall = ours[row["system"]]["recall"][row["class"]]
            assert float(row["recall"]) == pytest.approx(100 * recall, rel=1e-5)
            assert float(row["published"]) == values[row["system"], f"recall.{row['class']}"]
        svg = (tmp_path / "out" / "cbla-demo" / f"{name}.svg").read_text()
        assert all(f">{system}<" in svg for system in systems)
        assert ">published (iemocap)<" in svg and "demo (synthetic)" in svg


def test_what_is_missing_is_named_with_its_command(tmp_path: Path) -> None:
    made = drawn(tmp_path, "cbla")
    assert made.pictures == [] and len(made.missing) == 2
    assert made.missing[0].startswith(
        "fig5_recall_unimodal: no S_DNN, S_CNN, S_CL, S_CBLA, T_LSTM, T_BL: `serflow table cbla "
        "--corpus demo --systems S_DNN,S_CNN,"
    )
    add(tmp_path, "one", "S_CNN", classes=LABELS["cbla"])
    made = drawn(tmp_path, "cbla")
    assert [path.stem for path in made.pictures] == ["fig5_recall_unimodal"]
    assert {row["system"] for row in read(made, "fig5_recall_unimodal")} == {"S_CNN"}
    assert "no S_DNN, S_CL, S_CBLA, T_LSTM, T_BL: `serflow table cbla" in made.missing[0]


def test_systems_are_compared_on_one_split_and_of_one_table(tmp_path: Path) -> None:
    for name in ("T_BL", "T_LSTM"):
        add(tmp_path, f"table-{name}", name, "session-cbla", n=50)
        add(tmp_path, f"table-{name}-published", name, "session-cbla-published", n=99)
    add(tmp_path, "alone", "T_BL", "session-cbla", n=50)
    add(tmp_path, "elsewhere", "S_CNN", "random", n=500)

    def picked(split: str | None = None, **options: str) -> set[str]:
        chosen, _ = sources_of(tmp_path, "cbla", split=split).pick(UNIMODAL, **options)
        return {item.name for item in chosen.values()}

    assert picked() == {"table-T_BL", "table-T_LSTM"}
    assert picked("random") == picked(protocol="random") == {"elsewhere"}
    unvalidated = {"table-T_BL-published", "table-T_LSTM-published"}
    assert picked("session-cbla-published") == unvalidated


def test_the_papers_practice_is_named_in_the_title(tmp_path: Path, text_in_svg: None) -> None:
    add(tmp_path, "table-T_BL-published", "T_BL", "session-published")
    made = drawn(tmp_path, "cbla")
    assert "no validation" in made.pictures[0].with_suffix(".svg").read_text()


def test_the_four_ablations_of_fg_cme_in_one_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text_in_svg: None
) -> None:
    for name in ABLATIONS:
        add(tmp_path, f"table-{name}", name)
    assert "checkpoint" in drawn(tmp_path, "fg_cme").missing[0]
    give_vectors(monkeypatch)
    made = drawn(tmp_path, "fg_cme")
    rows = read(made, "fig2_tsne")
    assert [row["system"] for row in rows[::20]] == list(ABLATIONS)
    assert all(row["class"] == FOUR[int(row["utterance_id"][1:]) % 4] for row in rows)
    assert len({(row["x"], row["y"]) for row in rows}) > 70
    svg = made.pictures[0].with_suffix(".svg").read_text()
    assert [svg.count(f">{name}<") for name in FOUR] == [1, 1, 1, 1], "one legend for all"


def test_the_command_says_what_it_drew_and_fails_when_it_drew_nothing(tmp_path: Path) -> None:
    places = ["--models", str(tmp_path / "models"), "--out", str(tmp_path / "out")]

    def call(paper: str) -> Any:
        return CliRunner().invoke(cli.app, ["figures", paper, *places])

    nothing = call("fg_cme")
    assert nothing.exit_code == 1 and nothing.stdout == ""
    assert nothing.stderr.startswith("missing: fig2_tsne: no wo_excite_m, wo_excite_s")
    add(tmp_path, "one", "T_BL", classes=LABELS["cbla"])
    some = call("cbla")
    assert some.exit_code == 0 and "fig5_recall_unimodal.png" in some.stdout
    tables_only = call("cma")
    assert tables_only.exit_code == 0
    assert tables_only.stdout == (
        "cma shows no figure of results beyond its tables: serflow table cma\n"
    )
    assert call("bert").exit_code == 2
    assert set(paper_figures.FIGURES) == set(stated.PAPERS)
    assert paper_figures.demo_corpus("pba") == "demo_zh"
    with pytest.raises(ConfigurationError, match="unknown paper 'bert'"):
        drawn(tmp_path, "bert")
