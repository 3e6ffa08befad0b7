"""A YAML document that somebody else may have written, as plain values."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from pipeline import lookup
from pipeline.lookup import ConfigurationError

MOST_VALUES = 100_000


def read(path: Path) -> dict[str, Any]:
    """params.yaml as it stands; ConfigurationError where it is no YAML mapping, where a
    key stands twice, and where aliases or nesting make it endless.
    """
    if not path.is_file():
        raise ConfigurationError(f"{path} is missing: run the command where params.yaml lies")
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        _require_plain(root)
        document = {} if root is None else loader.construct_document(root) or {}
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not in UTF-8 ({error}): save it in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(
            f"{path}{place} is not YAML: {error.problem or error.context}"
        ) from None
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise ConfigurationError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply to be read") from None
    if not isinstance(document, dict):
        kind = type(document).__name__
        raise ConfigurationError(f"{path} holds {kind}, expected sections such as `experiments:`")
    return document


def _require_plain(root: Any) -> None:
    """Raises a YAML error for a key that stands twice, of which YAML would take the
    last, and for aliases that stand for more than anybody writes.
    """
    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        if id(node) in sizes:
            if not sizes[id(node)]:
                raise _marked("an alias inside of what it stands for", node)
            return sizes[id(node)]
        sizes[id(node)] = 0
        inner = []
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = [key for key, number in Counter(keys).items() if number > 1]
            if twice:
                raise _marked(f"key {lookup.shown(twice[0])} stands twice", node)
            inner = [item for pair in node.value for item in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        sizes[id(node)] = 1 + sum(map(size, inner))
        if sizes[id(node)] > MOST_VALUES:
            raise _marked(f"aliases make more than {MOST_VALUES} values of it", node)
        return sizes[id(node)]

    if root is not None:
        size(root)


def _marked(problem: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
