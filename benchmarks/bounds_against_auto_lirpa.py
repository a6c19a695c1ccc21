"""Our bounds against auto_LiRPA's on the same networks: tightness, CPU time, peak memory.

    python -m benchmarks.bounds_against_auto_lirpa --auto-lirpa PATH [--mnist FILE.npz] [--network mlp] [--epsilon 0.02]

`PATH` is a checkout of auto_LiRPA (https://github.com/Verified-Intelligence/auto_LiRPA); its optional import of
graphviz is replaced by an empty module. Tightness: the differences of IBP, CROWN and alpha-CROWN (20 steps) on
networks with weights from a formula; `--record FILE` writes auto_LiRPA's numbers for the tests. Cost: CROWN of all
outputs on a CNN of four convolutions (0.2 M parameters, 28 x 28) or an MLP 784-256-256-10, each side in a process of
its own with one thread: ours in float64, auto_LiRPA in float32 (its default) and in float64. With `--mnist` (arrays
x_train, y_train, x_test) that network is trained for 200 steps first, else its weights and inputs are random. Memory is
the peak resident set of the whole process (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustcert.bounds.alpha import alpha_bounds
from robustcert.bounds.interval import interval_bounds
from robustcert.bounds.linear import linear_bounds
from robustcert.bounds.regions import ball
from robustcert.bounds.tracing import network_of

STEPS = 20
TRAINING_STEPS = 200
Bounds = dict[str, list[list[float]]]


def formula_weights(module: nn.Module) -> nn.Module:
    """The module with weights that need no random generator: sines of the position, of variance 1 / fan-in."""
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            at = torch.arange(parameter.numel(), dtype=torch.float64)
            size = parameter[0].numel() if parameter.ndim > 1 else 10
            parameter.copy_((torch.sin(at * at * 0.37 + at + number) * (2.0 / size) ** 0.5).reshape(parameter.shape))
    return module.eval()


def networks() -> dict[str, tuple[nn.Module, tuple[int, ...], float]]:
    """The networks of the tightness check, their input shapes and radii."""
    mlp = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    cnn = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(96, 12), nn.ReLU(), nn.Linear(12, 4),
    )  # fmt: skip
    return {"mlp": (formula_weights(mlp), (6,), 0.1), "cnn": (formula_weights(cnn), (1, 8, 8), 0.03)}


def inputs(shape: tuple[int, ...]) -> Tensor:
    """Two inputs in [0, 1] from a formula."""
    at = torch.arange(2 * int(np.prod(shape)), dtype=torch.float32)
    return (torch.sin(at * at * 0.21 + 0.5 * at) * 0.5 + 0.5).reshape(2, *shape)


def our_bounds(module: nn.Module, x: Tensor, epsilon: float) -> Bounds:
    """Lower bounds, then upper ones, of all outputs."""
    network, region = network_of(module, input_shape=tuple(x.shape[1:])), ball("linf", x, epsilon)
    C_BQK = torch.eye(network.n_outputs, dtype=torch.float64).expand(len(x), -1, -1)
    optimised = [alpha_bounds(network, region, sign * C_BQK, iterations=STEPS) * sign for sign in (1.0, -1.0)]
    found = {"IBP": interval_bounds(network, region), "CROWN": linear_bounds(network, region)}
    both = {**found, "CROWN-Optimized": optimised}
    return {method: torch.cat(list(bounds)).tolist() for method, bounds in both.items()}


def their_bounds(module: nn.Module, x: Tensor, epsilon: float, path: str) -> Bounds:
    """The same by auto_LiRPA."""
    library = _imported(path)
    options = {"optimize_bound_args": {"iteration": STEPS}}
    perturbation = library.PerturbationLpNorm(norm=float("inf"), eps=epsilon)
    found: Bounds = {}
    for method in ("IBP", "CROWN", "CROWN-Optimized"):
        bounded = library.BoundedModule(module, x, bound_opts=options)
        lower, upper = bounded.compute_bounds(x=(library.BoundedTensor(x, perturbation),), method=method)
        found[method] = torch.cat((lower, upper)).detach().double().tolist()
    return found


def tightness(path: str, record: Path | None) -> None:
    """Prints how far both sides are apart: positive where ours is tighter."""
    recorded: dict[str, Any] = {"source": f"auto_LiRPA {_version(path)}, torch {torch.__version__}", "bounds": {}}
    for name, (module, shape, epsilon) in networks().items():
        x = inputs(shape)
        ours, theirs = our_bounds(module, x, epsilon), their_bounds(module, x, epsilon, path)
        recorded["bounds"][name] = theirs
        for method in ours:
            gap = torch.tensor(ours[method]) - torch.tensor(theirs[method])
            gain = torch.cat((gap[: len(x)], -gap[len(x) :]))
            print(f"{name} {method}: ours tighter by {float(gain.min()):+.1e} to {float(gain.max()):+.1e}")
    if record is not None:
        record.write_text(json.dumps(recorded, indent=1) + "\n")


def four_convolutions() -> nn.Sequential:
    """The CNN of the cost comparison."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 4, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(3136, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip


def two_hidden_layers() -> nn.Sequential:
    """The MLP of the cost comparison."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


COSTED = {"cnn": four_convolutions, "mlp": two_hidden_layers}


def trained(network: str, mnist: Path | None, weights: Path) -> None:
    """Writes a network's weights, trained for a moment where there is data."""
    torch.manual_seed(0)
    module = COSTED[network]()
    if mnist is not None:
        data = np.load(mnist, allow_pickle=False)
        x, y = torch.from_numpy(data["x_train"]).float().div(255)[:, None], torch.from_numpy(data["y_train"]).long()
        optimizer = torch.optim.Adam(module.parameters(), 1e-3)
        for _ in range(TRAINING_STEPS):
            rows = torch.randint(len(x), (64,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
    vector = nn.utils.parameters_to_vector(module.parameters()).detach()
    np.save(weights, vector.numpy())


def measured(side: str, arguments: argparse.Namespace, epsilon: float) -> dict[str, float]:
    """CPU seconds, peak MiB and the mean lower bound, of one side in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bounds_against_auto_lirpa"]
    command += ["--auto-lirpa", arguments.auto_lirpa, "--samples", str(arguments.samples), "--epsilon", str(epsilon)]
    command += ["--side", side, "--weights", str(arguments.weights), "--network", arguments.network]
    command += ["--mnist", str(arguments.mnist)] if arguments.mnist else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    result: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return result


def measure(side: str, arguments: argparse.Namespace) -> None:
    """Prints one JSON line about one side: the work of `measured`, in its process."""
    torch.set_num_threads(1)
    module = COSTED[arguments.network]().eval()
    nn.utils.vector_to_parameters(torch.from_numpy(np.load(arguments.weights, allow_pickle=False)), module.parameters())
    if arguments.mnist:
        test = np.load(arguments.mnist, allow_pickle=False)["x_test"][: arguments.samples]
        x = torch.from_numpy(test).float().div(255)[:, None]
    else:
        x = torch.rand((arguments.samples, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    bound = _ours if side == "ours" else _theirs(arguments.auto_lirpa)
    if side == "float64":
        module, x = module.double(), x.double()
    with torch.no_grad():
        start = time.process_time()
        lower = bound(module, x, arguments.epsilon[0])
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "mebibytes": _peak(), "lower": float(lower.mean())}))


def _peak() -> float:
    """This process's own peak in MiB; getrusage would count what its parent held when it was forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _ours(module: nn.Module, x: Tensor, epsilon: float) -> Tensor:
    return linear_bounds(network_of(module, input_shape=tuple(x.shape[1:])), ball("linf", x, epsilon))[0]


def _theirs(path: str) -> Callable[[nn.Module, Tensor, float], Tensor]:
    library = _imported(path)

    def bound(module: nn.Module, x: Tensor, epsilon: float) -> Tensor:
        perturbation = library.PerturbationLpNorm(norm=float("inf"), eps=epsilon)
        bounded = library.BoundedModule(module, x)
        lower: Tensor = bounded.compute_bounds(x=(library.BoundedTensor(x, perturbation),), method="CROWN")[0]
        return lower

    return bound


def _imported(path: str) -> Any:
    sys.modules.setdefault("graphviz", types.ModuleType("graphviz"))
    sys.modules["graphviz"].Digraph = object
    sys.path.insert(0, path)
    import auto_LiRPA

    return auto_LiRPA


def _version(path: str) -> str:
    command = ["git", "-C", path, "describe", "--always", "--tags"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return f"{_imported(path).__version__} ({commit or 'no commit'})"


def cost(arguments: argparse.Namespace) -> None:
    """Prints both sides' CPU time and memory for every epsilon."""
    trained(arguments.network, arguments.mnist, arguments.weights)
    for epsilon in arguments.epsilon:
        ours = measured("ours", arguments, epsilon)
        print(f"{arguments.network}, epsilon {epsilon}, {arguments.samples} samples: ours {_words(ours)}")
        for precision in ("float32", "float64"):
            theirs = measured(precision, arguments, epsilon)
            ratios = [ours[name] / theirs[name] for name in ("seconds", "mebibytes")]
            gain = ours["lower"] - theirs["lower"]
            print(f"  auto_LiRPA in {precision} {_words(theirs)}: ours {ratios[0]:.2f} of the CPU time and", end=" ")
            print(f"{ratios[1]:.2f} of the memory, bounds higher by {gain:+.1e} in the mean", flush=True)


def _words(figures: dict[str, float]) -> str:
    return f"{figures['seconds']:.2f} s, {figures['mebibytes']:.0f} MiB"


def main() -> None:
    """Tightness, then cost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--auto-lirpa", required=True, help="a checkout of auto_LiRPA")
    parser.add_argument("--mnist", type=Path, help="an npz file with x_train, y_train and x_test")
    parser.add_argument("--epsilon", type=float, nargs="+", default=[0.01, 0.02, 0.05])
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--network", choices=COSTED, default="cnn")
    parser.add_argument("--record", type=Path, help="write auto_LiRPA's bounds for the tests there")
    parser.add_argument("--side", choices=("ours", "float32", "float64"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measure(arguments.side, arguments)
        return
    tightness(arguments.auto_lirpa, arguments.record)
    with tempfile.TemporaryDirectory() as folder:
        arguments.weights = Path(folder) / "weights.npy"
        cost(arguments)


if __name__ == "__main__":
    main()
