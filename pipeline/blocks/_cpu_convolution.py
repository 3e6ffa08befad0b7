"""Convolutions as matrix products, one utterance after the other: faster on a CPU."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.batch import length_mask


def pays(conv: nn.Conv1d) -> bool:
    """Whether `convolve` is faster than torch's routine for one convolution.

    Matrix products with fewer than 8 columns leave a CPU idle, and autocast does not
    reach into a hand-written gradient.
    """
    wide = conv.groups == 1 and conv.in_channels >= 8
    return wide and not torch.is_autocast_enabled("cpu")


def convolve(
    x: Tensor,
    lengths: Tensor,
    convolutions: Iterable[nn.Conv1d],
    span: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """Convolutions one after another over valid steps, each followed by ReLU if `relu`.

    Equal to `Conv1d.plain` and, with ReLU, to `ConvolutionStack.plain`. x: Tensor[B, T,
    C]; lengths: Tensor[B]; span: Tensor[B, 2], the output steps [start, end) to
    compute, by default all valid ones.

    A convolution is the sum of one matrix product per kernel position. All layers run
    for one utterance, then for the next: its activations stay in the cache, no padding
    is computed, and the result does not depend on the rest of the batch. Measured on
    one core, forward and backward: FG_CME's stack of 3 layers over 32 utterances of 200
    to 750 frames 0.10 s, plain 0.22 s; CMA's second layer 0.06 s, plain 0.12 s.
    """
    layers = list(convolutions)
    kernels = [(conv.kernel_size[0], conv.stride[0]) for conv in layers]
    ends = lengths[:, None]
    for _, stride in kernels:
        ends = torch.div(ends + stride - 1, stride, rounding_mode="floor")
    wanted = torch.cat([torch.zeros_like(ends), ends], 1) if span is None else span
    bounds = torch.cat([wanted.clamp(min=0).minimum(ends), lengths[:, None]], dim=1).tolist()
    plans = [_plan(start, stop, length, kernels) for start, stop, length in bounds]
    steps = x.shape[1]
    for _, stride in kernels:
        steps = -(-steps // stride)
    parameters = [item for conv in layers for item in (conv.weight, conv.bias)]
    y: Tensor = _OneByOne.apply(x, plans, steps, relu, *parameters)  # type: ignore[no-untyped-call]
    return y


def unfolded(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """A convolution of stride 1 over a batch without padding, Tensor[B, T, C], as one
    matrix product; equal to `Conv1d.plain`.

    Measured on one core, forward and backward: 32 sequences of 25 steps, 64 channels
    and kernel 3 0.9 ms, one by one 3.4 ms; 128 channels 3.6 ms, one by one 6.6 ms.
    """
    steps, kernel = x.shape[1], conv.kernel_size[0]
    left = (kernel - 1) // 2
    surrounded = F.pad(x, (0, 0, left, kernel - 1 - left))
    columns = [surrounded[:, offset : offset + steps] for offset in range(kernel)]
    return F.linear(torch.cat(columns, dim=-1), conv.weight.transpose(1, 2).flatten(1), conv.bias)


class _Layer(NamedTuple):
    """One layer of one utterance: output steps [start, stop) from the input steps
    [first, last) with zeros around them.
    """

    kernel: int
    stride: int
    start: int
    stop: int
    first: int
    last: int
    zeros_before: int
    zeros_after: int

    def reach(self) -> int:
        """Input steps with the zeros around them."""
        return self.zeros_before + self.last - self.first + self.zeros_after

    def inside(self, surrounded: Tensor) -> Tensor:
        """The input steps [first, last) without the zeros around them."""
        return surrounded[self.zeros_before : surrounded.shape[0] - self.zeros_after]

    def surround(self, state: Tensor) -> Tensor:
        """The steps [first, last) of an utterance with the zeros around them."""
        state = state[self.first : self.last]
        if self.zeros_before or self.zeros_after:
            return F.pad(state, (0, 0, self.zeros_before, self.zeros_after))
        return state

    def at(self, state: Tensor, offset: int) -> Tensor:
        """What the output steps read at one kernel position."""
        last = offset + (self.stop - self.start - 1) * self.stride
        return state[offset : last + 1 : self.stride]


def _plan(start: int, stop: int, length: int, kernels: Sequence[tuple[int, int]]) -> list[_Layer]:
    """What each layer must compute so that the last yields [start, stop); nothing when
    that is empty.
    """
    layers: list[_Layer] = []
    if stop <= start:
        return layers
    lengths = [length]
    for _, stride in kernels[:-1]:
        lengths.append(-(-lengths[-1] // stride))
    for (kernel, stride), steps in zip(reversed(kernels), reversed(lengths), strict=True):
        lowest = start * stride - (kernel - 1) // 2
        highest = lowest + (stop - start - 1) * stride + kernel
        first, last = max(lowest, 0), min(highest, steps)
        layers.append(
            _Layer(kernel, stride, start, stop, first, last, first - lowest, highest - last)
        )
        start, stop = first, last
    return layers[::-1]


class _OneByOne(torch.autograd.Function):
    """All layers for one utterance, then the next, with the gradient written out."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, plans: list[list[_Layer]], steps: int, relu: bool, *parameters: Tensor
    ) -> Tensor:
        # One matrix for each kernel position: Tensor[kernel, in, out].
        weights = [weight.permute(2, 1, 0).contiguous() for weight in parameters[::2]]
        biases = [
            weight.new_zeros(weight.shape[2]) if bias is None else bias
            for weight, bias in zip(weights, parameters[1::2], strict=True)
        ]
        out = x.new_zeros(x.shape[0], steps, biases[-1].shape[0])
        hidden: list[Tensor] = []
        for index, plan in enumerate(plans):
            if not plan:
                continue
            state = plan[0].surround(x[index])
            for number, (layer, weight, bias) in enumerate(zip(plan, weights, biases, strict=True)):
                if number + 1 < len(plan):
                    following = plan[number + 1]
                    surrounded = x.new_zeros(following.reach(), bias.shape[0])
                    rows = following.inside(surrounded)
                    hidden.append(surrounded)
                else:
                    rows = out[index, layer.start : layer.stop]
                torch.addmm(bias, layer.at(state, 0), weight[0], out=rows)
                for offset in range(1, layer.kernel):
                    torch.addmm(rows, layer.at(state, offset), weight[offset], out=rows)
                if relu:
                    rows.relu_()
                if number + 1 < len(plan):
                    state = surrounded
        ctx.plans = plans
        ctx.save_for_backward(x, out if relu else None, *weights, *hidden)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        layers = (len(ctx.needs_input_grad) - 4) // 2
        x, out, *saved = ctx.saved_tensors
        weights, hidden = saved[:layers], iter(saved[layers:])
        of_weights = [torch.zeros_like(weight) for weight in weights]
        of_biases = [weight.new_zeros(weight.shape[2]) for weight in weights]
        of_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        for index, plan in enumerate(ctx.plans):
            if not plan:
                continue
            states = [plan[0].surround(x[index]), *(next(hidden) for _ in plan[1:])]
            written = slice(plan[-1].start, plan[-1].stop)
            slope = gradients[0][index, written]
            after = None if out is None else out[index, written]
            for number in reversed(range(layers)):
                layer, state = plan[number], states[number]
                if after is not None:
                    slope = torch.ops.aten.threshold_backward(slope, after, 0)
                    after = layer.inside(state)
                of_biases[number] += slope.sum(0)
                for offset in range(layer.kernel):
                    of_weights[number][offset].addmm_(layer.at(state, offset).t(), slope)
                if number or of_x is not None:
                    of_state = torch.zeros_like(state)
                    for offset in range(layer.kernel):
                        layer.at(of_state, offset).addmm_(slope, weights[number][offset].t())
                    slope = layer.inside(of_state)
            if of_x is not None:
                of_x[index, plan[0].first : plan[0].last] = slope
        of_parameters = [
            item
            for number, (weight, bias) in enumerate(zip(of_weights, of_biases, strict=True))
            for item in (
                weight.permute(2, 1, 0),
                bias if ctx.needs_input_grad[5 + 2 * number] else None,
            )
        ]
        return of_x, None, None, None, *of_parameters


def multi_kernel_max(values: Tensor, lengths: Tensor, convolutions: nn.ModuleList) -> Tensor:
    """Maximum over parallel convolutions, equal to `MultiKernelMax.plain`.

    All valid steps stand in one row, with as many zeros between neighbours as the
    widest kernel reaches, so that short texts cost no more than they hold. Measured on
    one core, forward and backward, 64 texts of 2 to 60 words: 0.80 s, plain 1.59 s.
    """
    gap, size = _reach(convolutions), values.shape[1]
    mask = length_mask(lengths, size)
    first = torch.cumsum(lengths + gap, 0) - lengths
    steps = (first[:, None] + torch.arange(size, device=values.device))[mask]
    row = values.new_zeros(int((lengths + gap).sum() + gap), values.shape[2]).index_copy(
        0, steps, values[mask]
    )
    row = row.T.unsqueeze(0)
    highest = convolutions[0](row)
    for convolution in convolutions[1:]:
        highest = torch.maximum(highest, convolution(row))
    valid: Tensor = highest[0].T[steps]
    return valid.new_zeros(*mask.shape, valid.shape[1]).masked_scatter(mask[..., None], valid)


def multi_kernel_mean(values: Tensor, lengths: Tensor, convolutions: nn.ModuleList) -> Tensor:
    """Mean over parallel convolutions and steps, equal to `MultiKernelMean.plain`.

    Both means and the convolutions are linear, so they are swapped: each kernel
    position is applied once to the mean of the steps that it meets, at 1 / T of the
    multiplications. Measured on one core, forward and backward, 64 sequences of 2 to 60
    steps: 0.07 s, plain 1.16 s.
    """
    reach = _reach(convolutions)
    offset = torch.arange(-reach, reach + 1, device=values.device)[:, None]
    step = torch.arange(values.shape[1], device=values.device)
    ends = lengths[:, None, None]
    # The position `offset` meets step t exactly when the output step t - offset exists.
    met = (step < ends) & (step >= offset) & (step - offset < ends)
    means = ((met.to(values.dtype) @ values) / ends.clamp(min=1)).transpose(1, 2)
    total = torch.zeros((), device=values.device)
    for convolution in cast(Iterable[nn.Conv1d], convolutions):
        half = convolution.kernel_size[0] // 2
        read = means[..., reach - half : reach + half + 1].flatten(1)
        total = total + F.linear(read, convolution.weight.flatten(1), convolution.bias)
    return total / len(convolutions)


def _reach(convolutions: nn.ModuleList) -> int:
    return max(conv.kernel_size[0] // 2 for conv in cast(Iterable[nn.Conv1d], convolutions))
