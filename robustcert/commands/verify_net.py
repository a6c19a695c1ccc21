"""robustcert verify-net and export-net: exchange of verification problems and verdicts as ONNX and VNN-LIB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustcert.errors import DataError, InputError, ModelError, expected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from robustcert.bounds.property_proof import PropertyAnswer, PropertyTarget, Run
    from robustcert.bounds.vnnlib import Property

NETWORK, PROPERTY = "network.onnx", "property.vnnlib"


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("verify-net", short_help="Answer a VNN-LIB property of an ONNX network.")(verify_net)
    app.command("export-net", short_help="Write a sample's robustness as ONNX and VNN-LIB.")(export_net)


def verify_net(
    network: Annotated[Path, typer.Argument(help="The network, an ONNX file.")],
    vnnlib: Annotated[Path, typer.Argument(help="The property, a VNN-LIB 1.0 file.")],
    time_limit: Annotated[float, typer.Option(min=0, help="Seconds for the exact verifiers.")] = 300.0,
    witness: Annotated[Path | None, typer.Option(help="File for the answer and, of sat, the counterexample.")] = None,
    marabou: Annotated[bool, typer.Option("--marabou", help="Ask Marabou too; exit 1 where it disagrees.")] = False,
    replay: Annotated[Path | None, typer.Option(help="Only replay this verdict file of another solver.")] = None,
) -> None:
    """Print unsat, sat, unknown or timeout: is there an input for which the property's conditions all hold?

    sat comes with a counterexample that the float32 network confirms; unsat is a proof up to the solvers' tolerance.
    """
    from robustcert.bounds.vnnlib import UnsupportedProperty, parse_vnnlib
    from robustcert.bounds.vnnlib_files import verdict_text
    from robustcert.storage.atomic import write_whole

    try:
        wanted = parse_vnnlib(_text(vnnlib), source=str(vnnlib))
        target = _target(network)
        answer = _replayed(target, wanted, replay) if replay else _answered(target, wanted, time_limit, marabou)
    except UnsupportedProperty as error:
        answer = _unknown(f"{error.operator} in {vnnlib}")
    except _UnsupportedNetwork as error:
        answer = _unknown(f"operator {error} in {network}")
    typer.echo(answer.answer)
    if answer.reason:
        typer.echo(f"{answer.answer}: {answer.reason}", err=True)
    if witness is not None:
        write_whole(witness, verdict_text(answer).encode())


def export_net(
    model: Annotated[Path, typer.Argument(help="The model file, safetensors or ONNX.")],
    dataset: Annotated[Path, typer.Argument(help="The data set file.")],
    sample: Annotated[int, typer.Option(help="Id of the sample.")],
    epsilon: Annotated[str, typer.Option(help="Size of the linf ball in the unit, a decimal.")],
    unit: Annotated[str, typer.Option(help="Unit of epsilon: input, 1/255 or feature_std.")] = "input",
    out: Annotated[Path, typer.Option(help="Folder for network.onnx and property.vnnlib.")] = Path(),
    factory: Annotated[str | None, typer.Option(help="package.module:function of a model that names one.")] = None,
) -> None:
    """Write the question "is this sample robust?" so that any verifier of VNN-COMP can answer it."""
    from robustcert.bounds.onnx_export import exported
    from robustcert.bounds.proof_threat import ProofThreat
    from robustcert.bounds.tracing import network_of
    from robustcert.bounds.vnnlib_files import property_text
    from robustcert.data.dataset import load_dataset
    from robustcert.models.files import load_model
    from robustcert.storage.atomic import make_folder, write_whole

    loaded, whole = load_model(model, factory=factory), load_dataset(dataset)
    chosen = whole.rows([sample])
    threat = ProofThreat.of(whole, norm="linf", epsilon=epsilon, unit=_unit(unit))
    region = threat.input_set(chosen.x()[0])
    data = exported(network_of(loaded.module, input_shape=loaded.card.input_shape))
    text = property_text(
        region.lower.numpy(), region.upper.numpy(), label=int(chosen.y[0]), n_classes=len(loaded.card.classes)
    )
    make_folder(out)
    write_whole(out / NETWORK, data)
    write_whole(out / PROPERTY, text.encode())
    asked = f"sample {sample}, class {int(chosen.y[0])}, linf {epsilon} ({unit})"
    typer.echo(f"{out / NETWORK}: {len(data)} bytes\n{out / PROPERTY}: {asked}")


class _UnsupportedNetwork(Exception):  # noqa: N818 - never seen by a caller
    """An ONNX operator that can't be imported, by name."""


def _unit(name: str) -> Any:
    if name not in ("input", "1/255", "feature_std"):
        raise InputError(expected("--unit input, 1/255 or feature_std", got=repr(name), remedy="name one of them"))
    return name


def _text(path: Path) -> str:
    from robustcert.bounds.vnnlib import MOST_BYTES

    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(expected(f"at most {MOST_BYTES} bytes", got=str(path), remedy="split the property"))
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        what = f"text in UTF-8 at {path}"
        raise DataError(expected(what, got=f"other bytes at {error.start}", remedy="give a VNN-LIB file")) from error
    except OSError as error:
        got = error.strerror or error
        raise DataError(expected(f"a file at {path}", got=got, remedy="check the path")) from error


def _target(network: Path) -> PropertyTarget:
    from robustcert.bounds.property_proof import PropertyTarget
    from robustcert.models.file_bytes import read_model_bytes
    from robustcert.models.files import model_in

    data = read_model_bytes(network)
    try:
        loaded = model_in(data, factory=None, source=str(network))
    except ModelError:
        operator = _unsupported(data)
        if operator is None:
            raise
        raise _UnsupportedNetwork(operator) from None
    return PropertyTarget(
        module=loaded.module, input_shape=loaded.card.input_shape, runs=_onnxruntime(data, loaded.card.format)
    )


def _unsupported(data: bytes) -> str | None:
    """The first ONNX operator that can't be imported; None where the file is refused for another reason."""
    from robustcert.models.onnx_import import OPERATORS

    try:
        import onnx
        from google.protobuf.message import DecodeError

        nodes = onnx.load_model_from_string(data).graph.node
    except (ImportError, DecodeError):
        return None
    return next((str(node.op_type) for node in nodes if node.op_type not in {*OPERATORS, "Constant"}), None)


def _onnxruntime(data: bytes, kind: str) -> tuple[Run, ...]:
    """onnxruntime on the file itself, row by row, where it is installed."""
    if kind != "onnx":
        return ()
    import numpy as np

    try:
        import onnxruntime
    except ImportError:
        return ()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(x_BX: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([np.asarray(session.run(None, {name: row[None]})[0], np.float32) for row in x_BX])

    return (run,)


def _answered(target: PropertyTarget, wanted: Property, seconds: float, marabou: bool) -> PropertyAnswer:
    from robustcert.bounds.property_proof import answered

    return answered(target, wanted, seconds=seconds, second_opinion=marabou)


def _replayed(target: PropertyTarget, wanted: Property, path: Path) -> PropertyAnswer:
    from robustcert.bounds.vnnlib_files import read_verdict, replayed

    return replayed(target, wanted, read_verdict(_text(path), source=str(path), inputs=wanted.inputs))


def _unknown(reason: str) -> PropertyAnswer:
    from robustcert.bounds.property_proof import PropertyAnswer

    return PropertyAnswer(answer="unknown", reason=reason)
