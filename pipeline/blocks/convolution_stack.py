"""A stack of convolutions over frames that keeps their number, and computes only the
frames that are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.blocks.convolution import Conv1d


class ConvolutionStack(nn.Module):
    """Convolutions of stride 1, each followed by ReLU; the length is kept and padding
    stays zero.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], kernel_sizes: Sequence[int]
    ) -> None:
        super().__init__()
        if len(channels) != len(kernel_sizes) or not channels:
            raise ValueError(
                f"{len(channels)} channels and {len(kernel_sizes)} kernel sizes, expected one of each"
            )
        self.out_channels = channels[-1]
        widths = pairwise([in_channels, *channels])
        self.layers = nn.ModuleList(
            Conv1d(before, after, kernel)
            for (before, after), kernel in zip(widths, kernel_sizes, strict=True)
        )
        # torch's default for convolutions halves the signal at each ReLU; three layers
        # on, biases would be all that is left of it, and the first epochs go into
        # growing it back. He et al. (2015), eq. 10, keeps its variance.
        for layer in self.layers:
            conv = cast(Conv1d, layer).conv
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor, lengths: Tensor, span: Tensor | None = None) -> Tensor:
        """Tensor[B, T, in_channels] and Tensor[B] to Tensor[B, T, channels[-1]], zeros
        in padding.

        span: Tensor[B, 2], the frames [start, end) that the caller will read; all
        others come out as zeros.
        """
        if span is None:
            span = torch.stack([torch.zeros_like(lengths), lengths], dim=1)
        if x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            convolutions = [cast(Conv1d, layer).conv for layer in self.layers]
            weights = [item for conv in convolutions for item in (conv.weight, conv.bias)]
            bounds = torch.cat(
                [span.clamp(min=0).minimum(lengths[:, None]), lengths[:, None]], dim=1
            ).tolist()
            kernels = [conv.kernel_size[0] for conv in convolutions]
            plans = [_plan(start, stop, length, kernels) for start, stop, length in bounds]
            y: Tensor = _OneByOne.apply(x, plans, *weights)  # type: ignore[no-untyped-call]
            return y
        for layer in self.layers:
            x = layer(x, lengths).relu()
        steps = torch.arange(x.shape[1], device=x.device)
        return x * ((steps >= span[:, :1]) & (steps < span[:, 1:]))[..., None]


class _Step(NamedTuple):
    """One layer of one utterance: output frames [start, stop) from input frames [first,
    last), zeros around them.
    """

    kernel: int
    start: int
    stop: int
    first: int
    last: int
    zeros_before: int
    zeros_after: int


def _plan(start: int, stop: int, length: int, kernels: Sequence[int]) -> list[_Step]:
    """The frames each layer must compute so that the last yields [start, stop); nothing
    when that is empty.
    """
    steps: list[_Step] = []
    if stop <= start:
        return steps
    for kernel in reversed(kernels):
        lowest = start - (kernel - 1) // 2
        highest = lowest + (stop - start) + kernel - 1
        first, last = max(lowest, 0), min(highest, length)
        steps.append(_Step(kernel, start, stop, first, last, first - lowest, highest - last))
        start, stop = first, last
    return steps[::-1]


class _OneByOne(torch.autograd.Function):
    """All layers for one utterance, then the next; a convolution is the sum of one
    matrix product per kernel position.

    On a CPU an utterance's activations stay in the cache from layer to layer, no
    padding is computed, nothing is rearranged for a convolution routine, and the
    products have the same shapes whatever else is in the batch.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, plans: list[list[_Step]], *parameters: Tensor) -> Tensor:
        weights, biases = [_positions(weight) for weight in parameters[::2]], parameters[1::2]
        out = x.new_zeros(*x.shape[:2], biases[-1].shape[0])
        hidden: list[Tensor] = []
        for index, plan in enumerate(plans):
            if not plan:
                continue
            state = _surrounded(x[index, plan[0].first : plan[0].last], plan[0])
            for layer, following in enumerate(plan[1:]):
                surrounded = x.new_zeros(_reach(following), biases[layer].shape[0])
                _convolve(state, weights[layer], biases[layer], _inside(surrounded, following))
                hidden.append(surrounded)
                state = surrounded
            _convolve(state, weights[-1], biases[-1], out[index, plan[-1].start : plan[-1].stop])
        ctx.plans = plans
        ctx.save_for_backward(x, out, *weights, *hidden)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        layers = (len(ctx.needs_input_grad) - 2) // 2
        x, out, *saved = ctx.saved_tensors
        weights, hidden = saved[:layers], iter(saved[layers:])
        of_weights = [torch.zeros_like(weight) for weight in weights]
        of_biases = [weight.new_zeros(weight.shape[2]) for weight in weights]
        of_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        for index, plan in enumerate(ctx.plans):
            if not plan:
                continue
            voiced = _surrounded(x[index, plan[0].first : plan[0].last], plan[0])
            states = [voiced, *(next(hidden) for _ in range(layers - 1))]
            rows = slice(plan[-1].start, plan[-1].stop)
            after, slope = out[index, rows], gradients[0][index, rows]
            for layer in reversed(range(layers)):
                step, state = plan[layer], states[layer]
                slope = torch.ops.aten.threshold_backward(slope, after, 0)
                after = _inside(state, step)
                of_biases[layer] += slope.sum(0)
                frames = slope.shape[0]
                for offset in range(step.kernel):
                    of_weights[layer][offset].addmm_(state[offset : offset + frames].t(), slope)
                if layer or of_x is not None:
                    of_state = torch.zeros_like(state)
                    for offset in range(step.kernel):
                        of_state[offset : offset + frames].addmm_(slope, weights[layer][offset].t())
                    slope = _inside(of_state, step)
            if of_x is not None:
                of_x[index, plan[0].first : plan[0].last] = slope
        of_parameters = [
            item
            for pair in zip(of_weights, of_biases, strict=True)
            for item in (pair[0].permute(2, 1, 0), pair[1])
        ]
        return of_x, None, *of_parameters


def _positions(weight: Tensor) -> Tensor:
    """Tensor[out, in, kernel] as one matrix for each kernel position: Tensor[kernel,
    in, out].
    """
    return weight.permute(2, 1, 0).contiguous()


def _reach(step: _Step) -> int:
    return step.stop - step.start + step.kernel - 1


def _inside(surrounded: Tensor, step: _Step) -> Tensor:
    """The frames [first, last) without the zeros around them."""
    return surrounded[step.zeros_before : surrounded.shape[0] - step.zeros_after]


def _surrounded(state: Tensor, step: _Step) -> Tensor:
    """Tensor[last - first, C] with zeros before and after, as far as the layer reaches."""
    if step.zeros_before or step.zeros_after:
        return F.pad(state, (0, 0, step.zeros_before, step.zeros_after))
    return state


def _convolve(state: Tensor, weight: Tensor, bias: Tensor, out: Tensor) -> None:
    """ReLU of the convolution of Tensor[frames + kernel - 1, in], written to out:
    Tensor[frames, out].
    """
    frames = out.shape[0]
    torch.addmm(bias, state[:frames], weight[0], out=out)
    for offset in range(1, weight.shape[0]):
        out.addmm_(state[offset : offset + frames], weight[offset])
    out.relu_()
