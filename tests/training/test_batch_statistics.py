"""Oracle: torch's own BatchNorm2d in one process, on all rows at once, by its outputs, gradients and statistics."""

from __future__ import annotations

import torch

from robustcert.training.batch_statistics import GlobalBatchNorm2d, with_global_statistics
from robustcert.training.world import ALONE, World
from tests.training.rank_work import TwoProcesses, gradients_of, passes, small_network, state_and_gradients


def test_two_processes_normalise_as_one_does_also_where_one_has_no_rows(two_processes: TwoProcesses) -> None:
    network = small_network().train()
    gradients_of(network, passes(), [len(x_BCHW) for x_BCHW in passes()])
    wanted = state_and_gradients(network)
    assert [int(found.tensors["empty"]) for found in two_processes.found] == [0, 1]
    assert len(wanted) == 9 + 6
    for found in two_processes.found:
        for name, value in wanted.items():
            torch.testing.assert_close(found.tensors[name], value, rtol=1e-5, atol=1e-6)


def test_processes_end_with_the_same_bits(two_processes: TwoProcesses) -> None:
    first, second = (found.tensors for found in two_processes.found)
    names = [name for name in first if name != "empty"]
    assert names
    assert all(torch.equal(first[name], second[name]) for name in names)


def test_in_eval_mode_it_is_batchnorm_bit_for_bit() -> None:
    norm = small_network()[1].eval()
    norm.running_mean.uniform_(generator=torch.Generator().manual_seed(1))
    x_BCHW = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(2))
    assert torch.equal(GlobalBatchNorm2d(norm, World(size=2)).eval()(x_BCHW), norm(x_BCHW))


def test_one_process_keeps_torchs_own() -> None:
    network = small_network()
    assert type(with_global_statistics(network, ALONE)[1]) is torch.nn.BatchNorm2d
    assert type(with_global_statistics(network, World(size=2))[1]) is GlobalBatchNorm2d
