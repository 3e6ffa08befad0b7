"""`serflow vary`: an experiment with some settings changed, under a name of its own."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline import lookup, params
from pipeline.commands import recipes
from pipeline.lookup import ConfigurationError


def vary(params_file: Path, experiment: str, name: str, changes: Sequence[str]) -> list[str]:
    """Adds the experiment `name`: another of params.yaml with some settings changed,
    as `key=value` or `hyperparameters.key=value`.

    Inputs that a changed network does not read are left out. Raises ConfigurationError,
    and changes nothing, where the result would be wrong.
    """
    known = params.load(params_file).document["experiments"]
    if experiment not in known:
        raise ConfigurationError(
            f"unknown experiment {experiment!r}, expected one of {sorted(known)}"
        )
    settings = deepcopy(known[experiment])
    for change in changes:
        path, equals, written = change.partition("=")
        *sections, key = path.split(".")
        if not equals or not all((*sections, key)):
            raise ConfigurationError(f"{change!r}, expected key=value, e.g. training.epochs=5")
        target = settings
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigurationError(f"{change!r}: {section} is no section of an experiment")
        try:
            target[key] = YAML(typ="safe").load(written)
        except YAMLError:
            raise ConfigurationError(f"{change!r}: {written!r} is no value") from None
    system = lookup.system(settings["network"])
    own = {key: value for key, value in settings.items() if key not in recipes.unread(system)}
    return recipes.use(params_file, {"experiments": {name: own}})
