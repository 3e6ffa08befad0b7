"""A team's way: one member builds and pushes, another pulls, changes, pushes back."""

import getpass
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.commands import doctor
from tests.resources import project, small_corpus
from tests.resources.project import commit, must

EXPERIMENT = "evaluate@small"
# Two features are built, the experiment reads one.
DOCUMENT: dict[str, Any] = small_corpus.DOCUMENT | {
    "corpora": {"manifest": {"root": "data/raw/mine", "redistribution": True}},
    "text": {"word2vec": small_corpus.DOCUMENT["text"]["word2vec"]},
    "experiments": {"small": small_corpus.EXPERIMENT | {"training": {"epochs": 1}}},
    "inputs": {"manifest": {"acoustic": ["fbank-short"]}},
}
BUILT = (EXPERIMENT, "acoustic@manifest-fbank-short")
# Nothing of the user's own S3 account takes part.
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "one",
    "AWS_SECRET_ACCESS_KEY": "two",
    "AWS_CONFIG_FILE": "nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "nowhere",
    "NO_PROXY": "127.0.0.1",
}


def bring_corpus(clone: Path, corpus: Path) -> None:
    """Everybody has an own copy of a licensed corpus, and a link to it."""
    place = clone / "data/raw/mine"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(corpus)


def change(clone: Path, section: str, name: str, **settings: Any) -> None:
    document = yaml.safe_load((clone / "params.yaml").read_text())
    document[section][name] |= settings
    (clone / "params.yaml").write_text(yaml.safe_dump(document))


def repro(clone: Path, *words: str) -> list[str]:
    """What `dvc repro` executed."""
    return project.executed(must(clone, "dvc", "repro", *words, SERFLOW_WORKERS="1"))


def outputs(clone: Path) -> dict[str, str]:
    """Hashes of all files that the stages made, by their path."""
    return {
        path.relative_to(clone).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "models")
        for path in sorted((clone / folder).rglob("*"))
        if path.is_file() and path.name != ".gitignore" and "raw" not in path.parts
    }


def cloned(first: Path, name: str) -> Path:
    """A fresh git clone beside the first one: nothing that DVC built is in it."""
    must(first.parent, "git", "clone", "--quiet", "origin", name)
    return first.parent / name


def add_remote(clone: Path, **settings: str) -> None:
    """Another remote `there`, in the settings of DVC that git does not hold."""
    lines = "".join(f"    {name} = {value}\n" for name, value in settings.items())
    (clone / ".dvc/config.local").write_text(f"['remote \"there\"']\n{lines}")


def share(first: Path, name: str, settings: Mapping[str, str], **variables: str) -> None:
    """All outputs, from the first clone to another one, through the remote `there`."""
    second = cloned(first, name)
    for clone in (first, second):
        add_remote(clone, **settings)
    must(first, "dvc", "push", "--remote", "there", *BUILT, "--with-deps", **variables)
    must(second, "dvc", "pull", "--remote", "there", *BUILT, "--with-deps", **variables)
    assert outputs(second) == outputs(first)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clone of the member who builds first: built and pushed, with the remote
    `team`, a folder, and the git repository `origin`, both beside the clone.
    """
    place = tmp_path_factory.mktemp("team")
    clone = project.copy(place / "first", DOCUMENT)
    bring_corpus(clone, small_corpus.write(place / "corpus"))
    settings = (clone / ".dvc/config").read_text().replace("[core]", "[core]\n    remote = team")
    settings += "['remote \"team\"']\n    url = ../../remote\n    verify = true\n"
    (clone / ".dvc/config").write_text(settings)
    must(place, "git", "init", "--quiet", "--bare", "--initial-branch", "main", "origin")
    must(clone, "git", "remote", "add", "origin", str(place / "origin"))
    executed = repro(clone, *BUILT)
    assert sorted(executed) == [
        "acoustic@manifest-fbank",
        "acoustic@manifest-fbank-short",
        "align@manifest-uniform",
        "check",
        "evaluate@small",
        "prepare@manifest",
        "split@manifest-random-three",
        "text@manifest-word2vec",
        "train@small",
    ]
    commit(clone, "built")
    must(clone, "git", "push", "--quiet", "--set-upstream", "origin", "main")
    must(clone, "dvc", "push")
    return clone


def test_git_gets_hashes_and_numbers_and_nothing_that_dvc_shares(first: Path) -> None:
    """What `git add .` takes after a build, where a link to the recordings lies too."""
    added = set(must(first, "git", "show", "--name-only", "--format=", "HEAD").split())
    assert {"dvc.lock", "models/small/metrics.json", "models/small/confusion.csv"} <= added
    numbers = added - {"dvc.lock", ".dvc/config"}
    assert {Path(name).suffix for name in numbers if name.startswith("data/")} == {".json"}
    assert {Path(name).suffix for name in numbers if name.startswith("models/")} == {
        ".csv",
        ".json",
    }
    assert all(name.startswith(("data/", "models/")) for name in numbers)


def test_a_build_pulls_what_it_needs_and_nothing_else(first: Path) -> None:
    """Without the corpus, whose hash in dvc.lock is enough."""

    def pulled(output: str) -> bool:
        lock = yaml.safe_load((clone / "dvc.lock").read_text())["stages"].values()
        made = {out["path"]: out["md5"] for stage in lock for out in stage["outs"]}
        return (cache / made[output][:2] / made[output][2:]).exists()

    clone = cloned(first, "partial")
    cache = clone / ".dvc/cache/files/md5"
    assert repro(clone, "--pull", "--allow-missing", EXPERIMENT) == []
    change(clone, "text", "word2vec", vector_size=5)
    executed = repro(clone, "--pull", "--allow-missing", "text@manifest-word2vec")
    assert executed == ["check", "text@manifest-word2vec"]
    assert pulled("data/utterances/manifest/utterances.parquet")
    assert not pulled("data/acoustic/manifest/fbank")
    assert not pulled("models/small/folds")


def test_shared_over_ssh(first: Path, sshd: Mapping[str, str]) -> None:
    share(first, "ssh", sshd)


def test_shared_over_s3(first: Path, s3: Mapping[str, str]) -> None:
    share(first, "s3", s3, **ACCOUNT)


def test_what_a_licence_restricts_goes_to_the_private_remote_alone(first: Path) -> None:
    clone = cloned(first, "licensed")
    must(clone, "dvc", "pull", "--with-deps", *BUILT)
    pushes = {item.subject: item for item in doctor.examine(clone / "params.yaml")}
    assert re.match(r"\d+ files, .* to team ", pushes["dvc push: manifest"].detail)

    # A table of one's own is restricted unless params.yaml says otherwise.
    change(clone, "corpora", "manifest", redistribution=None)
    must(clone, "serflow", "sync")
    add_remote(clone, url="../../public")
    refused = project.run(clone, "dvc", "push", "--remote", "there")
    assert refused.returncode != 0 and "remote 'private' doesn't exist" in refused.stderr
    pushes = {item.subject: item for item in doctor.examine(clone / "params.yaml")}
    assert pushes["dvc push: manifest"].state == "absent"
    assert pushes["dvc push: manifest"].remedy == "dvc remote add private URL"

    must(clone, "dvc", "remote", "add", "private", "../private")
    project.run(clone, "dvc", "push", "--remote", "there", "--run-cache")
    must(clone, "dvc", "push", *BUILT, "--with-deps")
    free = (clone / "data/checked").read_bytes()
    assert [path.read_bytes() for path in sent(clone / "../public")] in ([], [free])
    assert len(sent(clone / "../private")) > 40
    pushes = {item.subject: item for item in doctor.examine(clone / "params.yaml")}
    assert "to private (private, " in pushes["dvc push: manifest"].detail


def test_a_file_that_was_changed_in_the_remote_is_not_taken(first: Path) -> None:
    clone = cloned(first, "wary")
    changed = Path(shutil.copytree(first.parent / "remote", first.parent / "changed"))
    lock = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]["evaluate@small"]
    (out,) = [out for out in lock["outs"] if out["path"].endswith("predictions.parquet")]
    damaged = changed / "files/md5" / out["md5"][:2] / out["md5"][2:]
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[::-1])
    add_remote(clone, url="../../changed", verify="true")
    ended = project.run(clone, "dvc", "pull", "--remote", "there", EXPERIMENT)
    assert ended.returncode != 0 and "predictions.parquet" in ended.stderr
    assert not (clone / out["path"]).exists()


def sent(remote: Path) -> list[Path]:
    """The files that a remote got."""
    return [path for path in (remote / "files").rglob("*") if path.is_file()]


def test_two_members_never_compute_the_same_thing_twice(first: Path, tmp_path: Path) -> None:
    # The second member has the corpus elsewhere.
    second = cloned(first, "second")
    bring_corpus(second, Path(shutil.copytree(first / "data/raw/mine", tmp_path / "corpus")))
    must(second, "dvc", "pull", "--with-deps", *BUILT)
    assert outputs(second) == outputs(first)
    assert repro(second, *BUILT) == []

    # A change of one feature runs what reads it, and goes back.
    change(second, "acoustic", "fbank", num_mel_bins=6)
    executed = repro(second, *BUILT)
    assert executed == ["check", "acoustic@manifest-fbank", "train@small", "evaluate@small"]
    commit(second, "six bands")
    must(second, "dvc", "push")
    must(second, "git", "push", "--quiet")

    must(first, "git", "pull", "--quiet")
    must(first, "dvc", "pull", "--with-deps", *BUILT)
    assert outputs(first) == outputs(second)
    assert repro(first, *BUILT) == []

    # Both results stand in git, side by side.
    said = must(first, "dvc", "metrics", "diff", "HEAD~1", "HEAD", "--json")
    changed = json.loads(said)["models/small/metrics.json"]
    assert changed and all({"old", "new"} <= set(value) for value in changed.values())


def answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server of our own on a free port, that lets in one key made for it; settings of
    the remote.
    """
    pytest.importorskip("dvc_ssh", reason="DVC's SSH remote is missing: pip install dvc-ssh")
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.skip("there is no sshd: apt-get install openssh-server")
    place = tmp_path_factory.mktemp("sshd")
    for key in ("server", "member"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / key)]
        subprocess.run(command, check=True)
    shutil.copy(place / "member.pub", place / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    (place / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place / 'server'}\nPidFile none\n"
        f"AuthorizedKeysFile {place / 'authorized'}\nPasswordAuthentication no\nUsePAM no\n"
        "StrictModes no\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd wants it, its service makes it
    with (place / "log").open("w") as log:
        server = subprocess.Popen([program, "-D", "-e", "-f", place / "config"], stderr=log)
    try:
        deadline = time.monotonic() + 20
        while not answers(port):
            assert server.poll() is None, (place / "log").read_text()
            assert time.monotonic() < deadline, "sshd did not answer for 20 s"
            time.sleep(0.05)
        address = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{place / 'remote'}"
        yield {"url": address, "keyfile": str(place / "member")}
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """Moto's server in this process, with an empty bucket; settings of the remote."""
    pytest.importorskip("dvc_s3", reason="DVC's S3 remote is missing: pip install dvc-s3")
    reason = "the S3 server for tests is missing: pip install 'moto[server]'"
    server = pytest.importorskip("moto.server", reason=reason)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        address = f"http://{host}:{port}"
        request = urllib.request.Request(f"{address}/bucket", method="PUT")  # noqa: S310
        urllib.request.urlopen(request).close()  # noqa: S310
        yield {"url": "s3://bucket/team", "endpointurl": address, "region": "us-east-1"}
    finally:
        running.stop()
