import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import Field

from pipeline import lookup
from pipeline.lookup import ConfigurationError, checked

KINDS = ("corpora", "acoustic", "alignment", "text", "networks")


@checked
class Config:
    bins: int = Field(default=40, ge=1)
    rate: float = 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_the_public_modules_of_the_folder(kind: str) -> None:
    files = {path.stem for path in (lookup.ROOT / kind).glob("*.py")}
    public = sorted(name for name in files if not name.startswith("_"))
    assert lookup.names(kind) == public and files > set(public)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_lists_the_valid_ones(kind: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        lookup.component(kind, "fbnk")
    message = str(raised.value)
    assert (
        "'fbnk'" in message
        and f"expected one of {lookup.names(kind)}" in message
        and "\n" not in message
    )


def test_what_follows_a_hyphen_names_a_variant() -> None:
    assert lookup.component("acoustic", "fbank-tsin") is lookup.component("acoustic", "fbank")
    assert (
        lookup.component_config("acoustic", "fbank-tsin", {"num_mel_bins": 23}).num_mel_bins == 23
    )
    with pytest.raises(ConfigurationError, match="'nofbank-tsin'"):
        lookup.component("acoustic", "nofbank-tsin")


def test_systems_are_found_in_every_paper() -> None:
    systems = lookup.systems()
    assert {"M_CBLA_BLR", "FG_CME", "CMA_raw", "PBA_1_Pconv", "TSIN"} <= set(systems)
    assert lookup.system("FG_CME") is systems["FG_CME"]
    with pytest.raises(ConfigurationError, match=r"unknown network 'FGCME', expected one of \['"):
        lookup.system("FGCME")


def test_a_system_may_stand_in_one_module_only(monkeypatch: pytest.MonkeyPatch) -> None:
    module = lookup.component("networks", "fg_cme")
    monkeypatch.setattr(lookup, "names", lambda kind: ["fg_cme", "again"])
    monkeypatch.setattr(lookup, "component", lambda kind, name: module)
    with pytest.raises(ConfigurationError, match="stands in two modules of networks/: rename one"):
        lookup.systems()


@pytest.mark.parametrize("name", ["demo", "fbank-tsin_demo", "0001", "_x"])
def test_a_name_is_a_plain_word(name: str) -> None:
    assert lookup.check_name(name, "corpora") == name


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-x", "a.b", "x; touch y", "a\n", "é"])
def test_a_name_that_could_leave_its_folder_or_command_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no name, use letters, digits, '_' and '-'"):
        lookup.check_name(name, "corpora")


def test_configure_takes_values_and_defaults() -> None:
    assert lookup.configure(Config, {"bins": 23}, "here") == Config(23)
    assert lookup.configure(Config, None, "here") == Config()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"bin": 1}, "acoustic.x: unknown key bin, expected one of ['bins', 'rate']"),
        (
            {"bin": 1, "Rate": 2},
            "acoustic.x: unknown key Rate, bin, expected one of ['bins', 'rate']",
        ),
        ({"bins": "many"}, "acoustic.x: bins = 'many': Input should be a valid integer"),
        ({"bins": 0}, "acoustic.x: bins = 0: Input should be greater than or equal to 1"),
        ({"bins": 0, "rate": "fast"}, "; rate = 'fast': Input should be a valid number"),
        ({"bins": "a\nb"}, r"bins = 'a\nb'"),
        ({1: 2}, "acoustic.x: unknown key 1, expected one of"),
        ([1], "acoustic.x: [1] is not a section, expected `key: value` lines"),
        ("bins", "acoustic.x: 'bins' is not a section"),
    ],
)
def test_every_mistake_is_one_line_with_what_was_expected(values: object, expected: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        lookup.configure(Config, values, "acoustic.x")  # type: ignore[arg-type]
    assert expected in str(raised.value) and "\n" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_reachable_follows_imports_of_this_project_only() -> None:
    found = {
        path.relative_to(lookup.ROOT).as_posix() for path in lookup.reachable("pipeline.tables")
    }
    assert found == {"folders.py", "lookup.py", "schema.py", "tables.py"}


def test_reachable_covers_imports_inside_functions() -> None:
    found = {path.relative_to(lookup.ROOT).as_posix() for path in lookup.reachable("pipeline.cli")}
    assert {"commands/recipes.py", "commands/predict.py", "report/terminal.py"} <= found


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small project in the place of this one: a -> b -> c.d, and e alone."""
    root = tmp_path / "pipeline"
    (root / "c").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "a.py").write_text("import json\nfrom pipeline import b\n")
    (root / "b.py").write_text("def late():\n    from pipeline.c.d import x\n    return x\n")
    (root / "c" / "__init__.py").write_text("from pipeline import e\n")
    (root / "c" / "d.py").write_text("from pipeline import a\nx = 1\n")
    (root / "e.py").write_text("")
    monkeypatch.setattr(lookup, "ROOT", root)
    lookup.reachable.cache_clear()
    yield root
    lookup.reachable.cache_clear()


def test_reachable_in_a_small_project(copy: Path) -> None:
    found = {path.relative_to(copy).as_posix() for path in lookup.reachable("pipeline.a")}
    assert found == {"a.py", "b.py", "c/d.py"}


def test_a_name_exported_by_a_room_reaches_what_the_room_imports(copy: Path) -> None:
    (copy / "a.py").write_text("from pipeline.c import something\n")
    found = {path.relative_to(copy).as_posix() for path in lookup.reachable("pipeline.a")}
    assert found == {"a.py", "c/__init__.py", "e.py"}


@pytest.mark.parametrize(
    ("changed", "noticed"), [("a.py", True), ("c/d.py", True), ("e.py", False)]
)
def test_a_fingerprint_changes_with_the_source_it_can_reach(
    copy: Path, changed: str, noticed: bool
) -> None:
    before = lookup.fingerprint("pipeline.a")
    with (copy / changed).open("a") as file:
        file.write("y = 2  # another thought\n")
    lookup.reachable.cache_clear()
    assert (lookup.fingerprint("pipeline.a") != before) == noticed


CODE = '''"""What it is."""

import json  # of the standard library


def double(value: int) -> str:
    """Twice the value."""
    # A comment of its own.
    text = """first

    # no comment"""
    return f"{2 * value}#" + text  # the end
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("What it is.", "What else\nit is.", True),
        ("    # A comment of its own.\n", "", True),
        ("  # the end", "  # für immer", True),
        ("\n\n\n", "\n\n", True),
        ('    """Twice the value."""\n', "", True),
        ("import json  #", "import json\n#", True),
        ("first\n\n", "first\n", False),
        ("# no comment", "# none", False),
        ('}#"', '}"', False),
        ("2 * value", "3 * value", False),
        ("    return", "return", False),
        ('"""Twice the value."""', '"""Twice the value."""; value += 1', False),
    ],
)
def test_comments_docstrings_and_empty_lines_are_no_code(old: str, new: str, same: bool) -> None:
    assert CODE.count(old) == 1
    assert (lookup.code(CODE.replace(old, new)) == lookup.code(CODE)) == same


def test_a_fingerprint_does_not_depend_on_where_the_project_lies(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lookup.fingerprint("pipeline.a", "pipeline.e")
    moved = copy.parent / "elsewhere" / "pipeline"
    shutil.copytree(copy, moved)
    monkeypatch.setattr(lookup, "ROOT", moved)
    lookup.reachable.cache_clear()
    assert lookup.fingerprint("pipeline.e", "pipeline.a") == before


def test_keys_tell_every_part_apart() -> None:
    assert lookup.key_of("a", 1, {"x": 1, "y": 2}) == lookup.key_of("a", 1, {"y": 2, "x": 1})
    assert (
        len(
            {
                lookup.key_of("a", 1),
                lookup.key_of("a", 2),
                lookup.key_of("a", "1"),
                lookup.key_of("a"),
            }
        )
        == 4
    )


def test_many_keys_are_the_keys_one_by_one() -> None:
    made_by = ["fbank", {"b": 1.5, "a": Path("x")}, None]
    key = lookup.keys_with(*made_by)
    for parts in (("a", 1, None), (("wö", "'\""),), ({"y": 2, "x": [1]}, Path("z"))):
        assert key(*parts) == lookup.key_of(*parts, *made_by)
