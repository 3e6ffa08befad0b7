import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline import cli, lookup
from pipeline import params as parameters
from tests.resources import fabricated, small_corpus

ROOT = Path(__file__).parents[2]


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def error_of(result: Result) -> str:
    """The one line of a command that failed as it should."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


COMMANDS = (
    "predict",
    "explain",
    "figures",
    "doctor",
    "verify",
    "results",
    "compare",
    "use",
    "sync",
    "table",
    "fetch",
    "corpus",
)


def test_help_names_every_command() -> None:
    """The installed command, in a process of its own."""
    program = Path(sys.executable).with_name("serflow")
    ended = subprocess.run([program, "--help"], capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stderr == ""
    assert all(command in ended.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "command", [*([name] for name in COMMANDS), ["corpus", "check"]], ids=" ".join
)
def test_every_command_explains_itself(command: list[str]) -> None:
    said = call(*command, "--help")
    assert said.exit_code == 0 and "Usage" in said.stdout
    assert command == ["corpus"] or "Example: serflow" in said.stdout


def test_asking_for_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pipeline import cli\n"
        "CliRunner().invoke(cli.app, ['--help'])\n"
        "heavy = {'torch', 'transformers', 'librosa', 'gensim', 'h5py'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.strip() == "[]", ended.stderr


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))


def test_doctor_is_content_where_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    said = call("doctor", "--params", small_corpus.write_params(tmp_path, tmp_path / "corpus"))
    assert said.exit_code == 0, said.stdout
    assert (
        "python" in said.stdout
        and "corpus manifest" in said.stdout
        and "missing" not in said.stdout
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "is missing"),
        ("acoustic: {fbnk: {}}\n", "unknown acoustic component"),
        ("corpora: {manifest: {root: /nowhere/at/all}}\n", "does not exist"),
        ("corpora: {manifest: {root: $SERFLOW_UNSET/x}}\n", "would not be expanded by DVC"),
    ],
)
def test_doctor_says_what_is_missing_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, expected: str
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    if content:
        (tmp_path / "params.yaml").write_text(content)
    said = call("doctor", "--params", tmp_path / "params.yaml")
    assert said.exit_code == 1
    (line,) = [line for line in said.stdout.splitlines() if "│ missing │" in line]
    assert expected in line


def test_doctor_names_the_command_with_its_brackets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    version = metadata.version

    def without(name: str) -> str:
        if name in ("av", "gensim"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "corpus").mkdir()
    said = call("doctor", "--params", small_corpus.write_params(tmp_path, tmp_path / "corpus"))
    assert "pip install 'serflow[video]'" in said.stdout
    assert said.exit_code == 1, "gensim is needed"


def test_use_and_sync_keep_the_users_comments(
    params_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    original = params_file.read_text()
    params_file.write_text(original.replace("corpora:\n", "corpora:\n  # our own note\n", 1))
    said = call("use", "fg_cme-ravdess", "--root", "/corpora/ravdess", "--params", params_file)
    assert said.exit_code == 0
    assert said.stdout == "added experiment fg_cme-ravdess: dvc repro evaluate@fg_cme-ravdess\n"
    text = params_file.read_text()
    assert "# our own note" in text
    assert [
        line for line in original.splitlines() if line.strip().startswith("#") and line not in text
    ] == []
    assert parameters.load(params_file).corpora["ravdess"].root == "/corpora/ravdess"
    assert call("sync", "--params", params_file).exit_code == 0
    assert params_file.read_text() == text


def test_mistakes_are_one_line_and_end_with_two(
    tmp_path: Path, params_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert "unknown recipe 'fgcme', expected one of ['" in error_of(
        call("use", "fgcme", "--params", params_file)
    )
    assert "run the command where params.yaml lies" in error_of(
        call("sync", "--params", tmp_path / "none.yaml")
    )
    assert "holds no trained network" in error_of(
        call("predict", "--text", "no", "--model", tmp_path)
    )
    assert "no experiment has been evaluated in" in error_of(
        call("results", "--models", tmp_path / "models")
    )
    assert "say where it lies with --root" in error_of(
        call("corpus", "check", "iemocap", "--params", tmp_path / "none.yaml")
    )
    assert "expected whole numbers separated by commas" in error_of(
        call("table", "fg_cme", "--corpus", "ravdess", "--seeds", "0,x", "--params", params_file)
    )


def test_a_message_keeps_its_brackets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rich takes [video] for a style and drops it."""
    from pipeline import params

    def fail(*_: object) -> None:
        raise lookup.ConfigurationError(
            "av is missing, expected it: pip install 'serflow[video]' [/]"
        )

    monkeypatch.setattr(params, "load", fail)
    assert error_of(call("sync", "--params", tmp_path)).endswith("pip install 'serflow[video]' [/]")


def test_corpus_check_prints_counts_and_tells_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.run_serially(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    root = small_corpus.write(tmp_path / "corpus")
    bad = call("corpus", "check", "manifest", "--root", root, "--params", tmp_path / "none.yaml")
    assert bad.exit_code == 1 and "audio silent" in bad.stdout and "duplicate" in bad.stdout.lower()
    lines = (root / "manifest.csv").read_text().splitlines()
    good = [line for number, line in enumerate(lines) if number <= small_corpus.GOOD]
    (root / "manifest.csv").write_text("\n".join(good) + "\n")
    params_file = small_corpus.write_params(tmp_path, root)
    said = call("corpus", "check", "manifest", "--params", params_file)
    assert said.exit_code == 0, said.stdout
    assert all(label in said.stdout for label in small_corpus.LABELS)
