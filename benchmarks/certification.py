"""Certification beside its peers, on one convolutional network in one run: noisy samples a second, cost of a decision.

    python -m benchmarks.certification --smoothing PATH --art      with peers
    python -m benchmarks.certification --tiny                      seconds; shows that it works, and no more

The network has 4 convolutions and about 0.2 million parameters, takes 28 x 28 grey images, and is trained here for a
moment, with noise, on the handwritten digits that come with scikit-learn, enlarged. PATH is a checkout of
locuslab/smoothing (Cohen, Rosenfeld and Kolter 2019), whose `core.py` is run as it is, but on the CPU; `--art` measures
`PyTorchRandomizedSmoothing` of the Adversarial Robustness Toolbox, if it is installed.

Every contender lives in a process of its own, since how memory is kept is a property of a process; they take turns, on
one thread. A figure is the median over the turns, a ratio the median of the ratios within a turn. `floor` is the bare
forward pass of a batch of 256 as torch comes; `floor, prepared` the same of the network and memory as our engine
prepares them: what noise, votes and bookkeeping cost is measured against that one.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.certification_contenders import CONTENDERS, Work

ALWAYS = ("floor", "floor, prepared", "floor, prepared, bfloat16", "robustcert", "robustcert, bfloat16")
PEERS = ("locuslab, batch 400", "locuslab, batch 256", "ART, batch 32", "ART, batch 256")
ALPHA, SIGMA = 0.001, 0.25
FIXED_N = 100_000


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured: `draws` in a turn, `turns`, and `samples` that are decided with `most` draws at most."""

    draws: int
    turns: int
    samples: int
    epochs: int
    most: int


FULL = Size(draws=4096, turns=7, samples=60, epochs=12, most=100_000)
TINY = Size(draws=256, turns=1, samples=2, epochs=0, most=1000)

Turns = Mapping[str, list[float]]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoothing", type=Path, help="checkout of locuslab/smoothing")
    parser.add_argument("--art", action="store_true", help="measure ART, which must be installed")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    size = TINY if given.tiny else FULL
    work = Work(sigma=SIGMA, alpha=ALPHA, epochs=size.epochs, most=size.most, smoothing=given.smoothing)
    names = [name for name in (*ALWAYS, *PEERS) if _asked(name, given)]
    turns = measured(names, work, size)
    print("\n".join(throughput_lines(turns, size)))
    print("\n".join(decision_lines(decisions(work, size), turns, size)))


def measured(names: list[str], work: Work, size: Size) -> dict[str, list[float]]:
    """CPU seconds of every contender in every turn, after one turn that is not counted."""
    with _contenders(names, work) as lines:
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(size.turns + 1):
            for name, line in lines.items():
                line.send(("votes", size.draws))
                seconds[name].append(_answer(line, name))
        return {name: found[1:] for name, found in seconds.items()}


def decisions(work: Work, size: Size) -> dict[str, Any]:
    """What our engine needs to decide `samples` samples at one radius, at several, and to estimate radii."""
    with _contenders(["robustcert"], work) as lines:
        lines["robustcert"].send(("decide", size.samples))
        found: dict[str, Any] = _answer(lines["robustcert"], "robustcert")
        return found


def throughput_lines(turns: Turns, size: Size) -> list[str]:
    """One line for each contender: noisy samples a CPU second, and ratios within a turn."""
    lines = [f"{'noisy samples a CPU second':32}{'samples/s':>10}{'over floor':>12}{'over prepared':>15}"]
    for name, seconds in turns.items():
        floors = "".join(
            f"{ratio(seconds, turns[floor]):>{width}.2f}"
            for floor, width in (("floor", 12), (_prepared(name), 15))
            if floor in turns
        )
        lines.append(f"{name:32}{size.draws / statistics.median(seconds):>10.0f}{floors}")
    ours = {name: seconds for name, seconds in turns.items() if name.startswith("robustcert")}
    peers = {name: seconds for name, seconds in turns.items() if name in PEERS}
    return lines + [
        f"{own}: {ratio(seconds, turns[own]):.2f} times the samples of {peer}"
        for own in ours
        for peer, seconds in peers.items()
    ]


def decision_lines(found: Mapping[str, Any], turns: Turns, size: Size) -> list[str]:
    """Draws and CPU seconds of a certificate for each question, beside n = 100,000 draws of the fastest peer."""
    slowest = FIXED_N / size.draws
    peers = [statistics.median(turns[name]) for name in PEERS if name in turns]
    fixed = {
        "fixed n = 100,000, ours (from the rate above)": slowest * statistics.median(turns["robustcert"]),
        "fixed n = 100,000, fastest peer (from its rate)": slowest * min(peers) if peers else None,
    }
    lines = [f"{'a certificate costs':50}{'draws':>9}{'CPU s':>9}{'wall s':>9}"]
    lines += [f"{what:50}{FIXED_N:>9}{seconds:>9.2f}" for what, seconds in fixed.items() if seconds is not None]
    for what, (draws, cpu, wall) in found.items():
        lines.append(f"{what:50}{draws:>9.0f}{cpu:>9.2f}{wall:>9.2f}")
    return lines


def ratio(seconds: list[float], floor: list[float]) -> float:
    """Median over the turns of a contender's seconds over another's."""
    return statistics.median(a / b for a, b in zip(seconds, floor, strict=True))


def _prepared(name: str) -> str:
    return "floor, prepared, bfloat16" if name.endswith("bfloat16") else "floor, prepared"


def _asked(name: str, given: argparse.Namespace) -> bool:
    if name.startswith("locuslab"):
        return given.smoothing is not None
    return given.art if name.startswith("ART") else True


@contextmanager
def _contenders(names: list[str], work: Work) -> Iterator[dict[str, Connection]]:
    """A process for each contender, ready to be asked."""
    context = get_context("spawn")
    lines: dict[str, Connection] = {}
    processes = []
    for name in names:
        here, there = context.Pipe()
        processes.append(context.Process(target=_serve, args=(there, name, work), daemon=True))
        processes[-1].start()
        there.close()
        lines[name] = here
    try:
        yield lines
    finally:
        for line in lines.values():
            line.close()
        for process in processes:
            process.join()


def _serve(line: Connection, name: str, work: Work) -> None:
    """Answers ("votes", draws) with CPU seconds and ("decide", samples) with costs, until the other end closes."""
    contender = CONTENDERS[name](work)
    while True:
        try:
            task, amount = line.recv()
        except EOFError:
            return
        line.send(getattr(contender, task)(amount))


def _answer(line: Connection, name: str) -> Any:
    try:
        return line.recv()
    except EOFError:
        raise SystemExit(f"expected an answer of {name}, got none; its own message stands above") from None


if __name__ == "__main__":
    main()
