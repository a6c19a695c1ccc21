"""robustcert verify-net and export-net, on files made with onnx.helper and by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.bounds.digits_nets import digits_body, digits_files
from tests.bounds.onnx_networks import onnx_network, property_of
from tests.command_line import CommandLine

GENERATOR = np.random.Generator(np.random.Philox(0))
LAYERS = [
    (GENERATOR.normal(size=(10, 5)) / 2, GENERATOR.normal(size=10) / 10),
    (GENERATOR.normal(size=(10, 10)) / 3, GENERATOR.normal(size=10) / 10),
    (GENERATOR.normal(size=(5, 10)) / 3, GENERATOR.normal(size=5) / 10),
]
LOW, HIGH = np.full(5, -0.3), np.full(5, 0.3)
FAR = "(assert (>= Y_0 9.0))"
NEAR = "(assert (or (and (<= Y_0 Y_1) (<= Y_0 9.0)) (and (<= Y_1 Y_0))))"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    def write(conditions: str, *, activation: str = "Relu") -> tuple[Path, Path]:
        network, wanted = tmp_path / "net.onnx", tmp_path / "prop.vnnlib"
        network.write_bytes(onnx_network(LAYERS, activation=activation))
        wanted.write_text(property_of(LOW, HIGH, conditions, outputs=5))
        return network, wanted

    return write


@pytest.mark.parametrize("extra", [(), ("--marabou",)])
@pytest.mark.parametrize(("conditions", "answer"), [(FAR, "unsat"), (NEAR, "sat")])
def test_the_first_line_is_the_answer(
    command_line: CommandLine,
    write: Callable[..., tuple[Path, Path]],
    conditions: str,
    answer: str,
    extra: tuple[str, ...],
) -> None:
    done = command_line("verify-net", *write(conditions), *extra)
    assert (done.status, done.out, done.err) == (0, f"{answer}\n", "")


def test_the_counterexample_is_one_for_onnxruntime(
    command_line: CommandLine, write: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    network, wanted = write(NEAR)
    command_line("verify-net", network, wanted, "--witness", tmp_path / "found.txt")
    first, *lines = (tmp_path / "found.txt").read_text().splitlines()
    values = {name: float(value) for name, value in (line.strip("()").split() for line in lines)}
    x = np.array([[values[f"X_{index}"] for index in range(5)]], np.float32)
    y = onnxruntime.InferenceSession(network.read_bytes()).run(None, {"X": x})[0][0]
    assert first == "sat"
    assert (np.abs(x) <= 0.3).all()
    np.testing.assert_allclose(y, [values[f"Y_{index}"] for index in range(5)], atol=1e-6)
    replayed = command_line("verify-net", network, wanted, "--replay", tmp_path / "found.txt")
    assert (replayed.status, replayed.out) == (0, "sat\n")


def test_a_false_counterexample_of_another_solver_ends_with_1(
    command_line: CommandLine, write: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    (tmp_path / "found.txt").write_text("sat\n(" + "".join(f"(X_{index} 0.0)" for index in range(5)) + ")\n")
    done = command_line("verify-net", *write(FAR), "--replay", tmp_path / "found.txt")
    assert done.status == 1
    assert "expected a counterexample, got outputs that do not hold" in done.err


@pytest.mark.parametrize(
    ("conditions", "activation", "reason"),
    [
        ("(assert (>= (* 2.0 Y_0) 1.0))", "Relu", "unknown: * in"),
        (FAR, "Sin", "unknown: operator Sin in"),
        ("(assert (>= Y_0 0.0))(check-sat)", "Relu", "unknown: check-sat in"),
    ],
)
def test_what_is_not_supported_is_unknown_by_name(
    command_line: CommandLine, write: Callable[..., tuple[Path, Path]], conditions: str, activation: str, reason: str
) -> None:
    done = command_line("verify-net", *write(conditions, activation=activation))
    assert (done.status, done.out) == (0, "unknown\n")
    assert reason in done.err


def test_wrong_files_are_one_line(
    command_line: CommandLine, write: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    network, wanted = write(FAR)
    broken, binary = tmp_path / "broken.vnnlib", tmp_path / "binary.vnnlib"
    broken.write_text("(assert (<= Y_0 1.0)")
    binary.write_bytes(b"\xff\xfe\x00")
    for arguments, got in (
        ((network, broken), r"a '(' without its ')'"),
        ((network, binary), "text in UTF-8"),
        ((network, tmp_path / "none"), "No such file"),
        ((wanted, wanted), "expected a safetensors or ONNX file"),
        ((tmp_path / "none.onnx", wanted), "no file at"),
    ):
        done = command_line("verify-net", *arguments)
        assert (done.status, len(done.err.splitlines()), done.out) == (2, 1, "")
        assert got in done.err


def test_a_samples_question_is_exported_and_answered_as_prove_answers_it(
    command_line: CommandLine, tmp_path: Path
) -> None:
    body = digits_body(width=16, epsilon=0.1, epochs=8)
    model, dataset = digits_files(tmp_path, body, width=16, samples=12)
    assert (
        command_line(
            "prove", model, dataset, "--norm", "linf", "--epsilon", "0.08", "--out", tmp_path / "rows.jsonl"
        ).status
        == 0
    )
    rows = (tmp_path / "rows.jsonl").read_text().splitlines()[1:]
    verdicts = {name: next(row for row in rows if f'"verdict":"{name}"' in row) for name in ("verified", "falsified")}
    for name, answer in (("verified", "unsat"), ("falsified", "sat")):
        sample = verdicts[name].partition('"sample":')[2].partition(",")[0]
        done = command_line(
            "export-net", model, dataset, "--sample", sample, "--epsilon", "0.08", "--out", tmp_path / name
        )
        assert done.status == 0
        found = command_line("verify-net", tmp_path / name / "network.onnx", tmp_path / name / "property.vnnlib")
        assert found.out == f"{answer}\n"


def test_a_wrong_unit_of_an_export_is_one_line(command_line: CommandLine, tmp_path: Path) -> None:
    model, dataset = digits_files(tmp_path, digits_body(width=4, epsilon=0.0, epochs=1), width=4, samples=1)
    done = command_line("export-net", model, dataset, "--sample", "1200", "--epsilon", "0.1", "--unit", "pixels")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
