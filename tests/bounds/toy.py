"""The toy network 6-12-12-3 of the certification literature's examples: torch's default weights from seed 0."""

import torch
from torch import nn

from robustcert.bounds.network import Network
from robustcert.bounds.tracing import network_of


def toy_network() -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3)]
    return network_of(nn.Sequential(*layers), input_shape=(6,))
