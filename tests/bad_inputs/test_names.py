"""Names in params.yaml: they become folders and words of the stages' commands."""

from collections.abc import Callable

import pytest
import yaml

from tests.resources.bad_input import Case, Did


def named(name: str) -> Callable[[], str]:
    return lambda: name


CASES = [
    Case("a name with a semicolon", named("fbank-a;b"), "is no name, use letters"),
    Case("a name with a command", named("fbank-$(id)"), "is no name, use letters"),
    Case("a name with a space", named("fbank-a b"), "is no name, use letters"),
    Case("a name with a line", named("fbank-a\nb"), "is no name, use letters"),
    Case("a name with a quote", named("fbank-a'b"), "is no name, use letters"),
    Case("a name with a null character", named("fbank-a\0b"), "is no name, use letters"),
    Case("a name with a template", named("fbank-${x}"), "is no name, use letters"),
    Case("a name with a slash", named("fbank/a"), "is no name, use letters"),
    Case("a name that leaves the folder", named("../fbank"), "is no name, use letters"),
    Case("two points", named(".."), "is no name, use letters"),
    Case("a name that is an option", named("-fbank"), "is no name, use letters"),
    Case("a hidden name", named(".fbank"), "is no name, use letters"),
    Case("a name in Chinese", named("fbank-语音"), "is no name, use letters"),
    Case("a name of 300 letters", named("fbank-" + "a" * 300), "is no name, use letters"),
    Case("an empty name", named(""), "is no name, use letters"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_name(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    document = {"acoustic": {case.make(): {}}}
    (user.folder / "params.yaml").write_text(yaml.safe_dump(document))
    settle(case, user.serflow("sync") or "used: as any other")
