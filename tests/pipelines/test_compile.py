"""Compiled files: every one is current, and one that is changed or missing is noticed."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import dsl

from pipelines import compile as generator
from pipelines.compile import Target, compiled, components, main, out_of_date, pipelines, targets


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One component and its current file, in a folder of their own."""

    @dsl.component(base_image="registry.example/image:1", install_kfp_package=False)
    def smallest(number: int = 1) -> None:
        pass

    path = tmp_path / "component.yaml"
    path.write_text(compiled(Target(item=smallest)))
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    monkeypatch.setattr(generator, "targets", lambda: {path: Target(item=smallest)})
    return path


def changed(path: Path, change: Any) -> None:
    document = next(yaml.safe_load_all(path.read_text()))
    change(document)
    path.write_text(yaml.safe_dump(document))


def test_every_component_and_every_pipeline_is_compiled_in_all_its_forms(root: Path) -> None:
    wanted = {path.relative_to(root).as_posix() for path in targets()}
    folders = {path.parent.name for path in (root / "components").glob("*/component.py")}
    assert set(components()) == folders
    assert wanted == (
        {f"components/{name}/component.yaml" for name in folders}
        | {f"pipelines/by_uri/{name}.yaml" for name in folders}
        | {f"pipelines/{name}.yaml" for name in pipelines()}
        | {f"pipelines/custom_resources/{name}.yaml" for name in pipelines()}
    )
    assert set(pipelines()) >= {"certified_training", "certify_model"}


def test_every_committed_file_is_current() -> None:
    assert out_of_date() == []


def test_another_default_and_another_image_are_noticed(pair: Path) -> None:
    assert out_of_date() == []
    changed(
        pair,
        lambda document: document["components"]["comp-smallest"]["inputDefinitions"]["parameters"]["number"].update(
            defaultValue=2.0
        ),
    )
    assert out_of_date() == [pair]
    pair.unlink()
    assert out_of_date() == [pair]


def test_comments_and_the_order_of_keys_are_no_difference(pair: Path) -> None:
    document = yaml.safe_load(pair.read_text())
    pair.write_text("# another header\n" + yaml.safe_dump(dict(reversed(document.items())), sort_keys=False))
    assert out_of_date() == []


def test_a_second_document_is_a_difference(pair: Path) -> None:
    pair.write_text(pair.read_text() + "\n---\nplatforms: {}\n")
    assert out_of_date() == [pair]


def test_check_names_the_file_and_fails_and_without_it_the_file_is_written(
    pair: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = pair.read_text()
    pair.write_text("other: file\n")
    monkeypatch.setattr(sys, "argv", ["compile", "--check"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().out == "component.yaml: out of date; run `make generate` and commit the result\n"
    assert pair.read_text() == "other: file\n"
    monkeypatch.setattr(sys, "argv", ["compile"])
    main()
    assert capsys.readouterr().out == "wrote component.yaml\n"
    assert yaml.safe_load(pair.read_text()) == yaml.safe_load(wanted)
    monkeypatch.setattr(sys, "argv", ["compile", "--check"])
    with pytest.raises(SystemExit, match="0"):
        main()


def test_a_file_that_no_source_stands_for_is_named_and_removed(
    pair: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = pair.parent / "pipelines/by_uri/gone.yaml"
    left.parent.mkdir(parents=True)
    left.write_text("components: {}\n")
    assert out_of_date() == [left]
    monkeypatch.setattr(sys, "argv", ["compile"])
    main()
    assert capsys.readouterr().out == "removed pipelines/by_uri/gone.yaml\n"
    assert not left.exists()
