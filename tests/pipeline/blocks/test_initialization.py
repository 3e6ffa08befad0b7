import torch
from torch import nn

from pipeline.blocks.convolution import SeparableConv1d
from pipeline.blocks.initialization import initialized_as_keras


@torch.no_grad()
def test_layers_have_the_bounds_and_gates_of_keras() -> None:
    torch.manual_seed(0)
    network = nn.ModuleDict(
        {
            "convolution": nn.Conv1d(20, 30, 3),
            "separable": SeparableConv1d(16, 40, 5),
            "dense": nn.Linear(200, 3),
            "lstm": nn.LSTM(24, 12, bidirectional=True),
            "norm": nn.BatchNorm1d(4),
        }
    )
    initialized_as_keras(network)
    bounds = {
        "convolution.weight": (6 / (20 * 3 + 30 * 3)) ** 0.5,
        "separable.depthwise.conv.weight": (6 / (16 * 5 + 5)) ** 0.5,
        "separable.pointwise.conv.weight": (6 / (16 + 40)) ** 0.5,
        "dense.weight": (6 / (200 + 3)) ** 0.5,
        "lstm.weight_ih_l0": (6 / (24 + 4 * 12)) ** 0.5,
        "lstm.weight_ih_l0_reverse": (6 / (24 + 4 * 12)) ** 0.5,
    }
    parameters = dict(network.named_parameters())
    for name, bound in bounds.items():
        largest = parameters[name].abs().max().item()
        assert 0.93 * bound < largest <= bound, name
    for end in ("l0", "l0_reverse"):
        recurrent = parameters[f"lstm.weight_hh_{end}"]
        torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(12), atol=1e-5, rtol=0)
        bias = parameters[f"lstm.bias_ih_{end}"] + parameters[f"lstm.bias_hh_{end}"]
        assert bias.tolist() == [0.0] * 12 + [1.0] * 12 + [0.0] * 24
    assert not any(parameters[f"{name}.bias"].any() for name in ("convolution", "dense", "norm"))
    assert parameters["norm.weight"].tolist() == [1.0] * 4
