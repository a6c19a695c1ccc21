"""Groups of inputs: a pipeline asks for each input of its groups, with type, default and sentence."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler, dsl

from pipelines.input_group import InputGroup, form, pipeline


@dataclass(frozen=True, kw_only=True)
class Fruit(InputGroup):
    """Which fruit."""

    kind: str = field(metadata=form("Which one."))
    ripe: bool = field(default=True, metadata=form("Whether it is: soft."))
    labels: dict = field(default_factory=dict, metadata=form("Any {} of them."))  # type: ignore[type-arg]


@dsl.component(base_image="registry.example/image:1", install_kfp_package=False)
def eat(kind: str, ripe: bool, count: int, labels: dict) -> None:  # type: ignore[type-arg]
    pass


@pipeline(name="breakfast")
def breakfast(fruit: Fruit, count: int = 2) -> None:
    """Eats.

    Args:
        count: How many.
    """
    eat(**fruit.parameters(), count=count)


@pipeline(name="lunch")
def lunch(fruit: Fruit) -> None:
    """Eats again."""
    eat(**fruit.parameters(), count=1)


def written(item: Any, folder: Path) -> dict[str, Any]:
    compiler.Compiler().compile(item, str(folder / "compiled.yaml"))
    document: dict[str, Any] = next(yaml.safe_load_all((folder / "compiled.yaml").read_text()))
    return document


FRUIT = {
    "kind": {"parameterType": "STRING", "description": "Which one."},
    "ripe": {
        "parameterType": "BOOLEAN",
        "defaultValue": True,
        "isOptional": True,
        "description": "Whether it is: soft.",
    },
    "labels": {"parameterType": "STRUCT", "defaultValue": {}, "isOptional": True, "description": "Any {} of them."},
}
COUNT = {"parameterType": "NUMBER_INTEGER", "defaultValue": 2.0, "isOptional": True, "description": "How many."}


@pytest.mark.parametrize(
    ("item", "wanted", "description"),
    [(breakfast, FRUIT | {"count": COUNT}, "Eats."), (lunch, FRUIT, "Eats again.")],
    ids=["with Args", "without"],
)
def test_a_group_stands_for_its_inputs_and_other_parameters_stay(
    tmp_path: Path, item: Any, wanted: dict[str, Any], description: str
) -> None:
    document = written(item, tmp_path)
    assert document["pipelineInfo"]["description"] == description
    assert document["root"]["inputDefinitions"]["parameters"] == wanted


def test_each_input_reaches_the_step_that_the_group_gives_it_to(tmp_path: Path) -> None:
    given = written(breakfast, tmp_path)["root"]["dag"]["tasks"]["eat"]["inputs"]["parameters"]
    names = ("kind", "ripe", "labels", "count")
    assert given == {name: {"componentInputParameter": name} for name in names}
