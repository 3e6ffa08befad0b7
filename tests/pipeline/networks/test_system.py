import pytest

from pipeline import lookup
from pipeline.lookup import ConfigurationError
from pipeline.networks import Recipe, system


def test_a_system_says_what_it_reads_and_how_it_trains() -> None:
    @system("audio", "text", optimizer="sgd", momentum=0.9, epochs=5)
    def build(sizes: object) -> str:
        return f"built {sizes}"

    assert build.needs == {"audio", "text"}
    assert build.recipe == Recipe(optimizer="sgd", momentum=0.9, epochs=5)
    assert build(3) == "built 3"


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimizer": "lion"},
        {"learning_rate": 0},
        {"learning_rate": -1.0},
        {"momentum": 1.0},
        {"weight_decay": -1},
        {"l2": -0.1},
        {"learning_rate_step": 0},
        {"learning_rate_factor": 0},
        {"batch_size": 0},
        {"epochs": 0},
        {"epochs": 1.5},
        {"patience": 3},
    ],
    ids=str,
)
def test_impossible_recipes_are_refused_in_one_line(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=f"^training: .*{next(iter(wrong))}"):
        lookup.configure(Recipe, wrong, "training")


@pytest.mark.parametrize("name", sorted(lookup.systems()))
def test_every_system_declares_itself(name: str) -> None:
    declared = lookup.system(name)
    needs, recipe = declared.needs, declared.recipe  # type: ignore[attr-defined]
    assert needs and needs <= {"audio", "text", "alignment"}
    assert isinstance(recipe, Recipe)
    # Words are placed in frames: an alignment alone is of no use.
    assert "alignment" not in needs or "audio" in needs


def test_a_system_like_another_differs_in_what_it_says() -> None:
    @system("audio", epochs=5)
    def plain(sizes: object, *, width: int = 3, depth: int = 2) -> tuple[int, int]:
        return width, depth

    @system("audio", like=plain, without=("depth",), epochs=6)
    def flat(sizes: object, *, slope: float = 0.5, **others: int) -> dict[str, float]:
        return {"slope": slope, **others}

    assert flat.hyperparameters == {"width": int, "slope": float}
    assert flat(0) == {"slope": 0.5, "width": 3} and flat(0, width=4)["width"] == 4
    with pytest.raises(TypeError, match="depth"):
        flat(0, depth=1)
    with pytest.raises(ValueError, match="without"):
        system("audio", like=plain, without=("heads",))(lambda sizes: None)
