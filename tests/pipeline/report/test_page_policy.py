"""Names come from corpora, files and other people: none of them becomes code."""

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.report import page, results
from pipeline.report.experiments import experiments
from pipeline.schema import Rejection
from pipeline.tables import write_rejections

HOSTILE = '"><script>document.title="run"<'
RUN = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def written(workplace: tuple[Path, Path], tmp_path: Path) -> Path:
    """A page on which an experiment, a reason and a note try to be code."""
    models, data = workplace
    (models / "voice-demo").rename(models / HOSTILE)
    rejects = data / "utterances/demo/rejects.parquet"
    write_rejections(rejects, [Rejection("broken", "prepare", RUN)])
    found = experiments(models)
    return page.write(found, data, tmp_path / "report", {HOSTILE: [RUN]})[0]


def test_a_name_is_shown_and_nothing_else(written: Path) -> None:
    tags = Tags()
    tags.feed(written.read_text(encoding="utf-8"))
    names = [name for name, _ in tags.found]
    assert names.count("script") == names.count("style") == 1
    assert not [attrs for _, attrs in tags.found for name in attrs if name.startswith("on")]
    assert HOSTILE in [attrs.get("id") for _, attrs in tags.found]


def test_the_policy_lets_in_the_page_s_own_script_and_style_alone(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    (policy,) = [
        str(attrs["content"])
        for _, attrs in tags.found
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    for name in ("script", "style"):
        (content,) = re.findall(f"<{name}>(.*?)</{name}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    # The policy holds for what stands after it.
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert not [attrs for _, attrs in tags.found if "style" in attrs]


def test_a_browser_runs_the_page_and_nothing_that_was_put_into_it(written: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium")
    text = written.read_text(encoding="utf-8")
    # As if escaping had failed, behind the page's own script.
    written.write_text(text.replace("</body>", f"{RUN}</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    ended = subprocess.run(
        [*command, "--dump-dom", written.as_uri()], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0
    assert "<title>SERflow: " in ended.stdout and "<title>run" not in ended.stdout
    refused = re.findall(r"violates the following Content Security Policy", ended.stderr)
    assert len(refused) == 3, ended.stderr  # the script, the picture, its handler


def test_names_do_not_break_the_markdown_table(written: Path) -> None:
    lines = written.with_name("results.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if "script" in line]
    assert results.plain(HOSTILE) in row and "<" not in re.sub(r"\\<", "", row)
