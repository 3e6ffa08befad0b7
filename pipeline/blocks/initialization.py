"""First weights as Keras draws them, for papers whose networks were built with it."""

from torch import nn


def initialized_as_keras(network: nn.Module) -> nn.Module:
    """The network, its convolution, dense and LSTM layers drawn anew with Keras's
    defaults.

    Kernels are uniform with Glorot's variance (Glorot and Bengio 2010), recurrent ones
    orthogonal, biases zero but for one at the forget gates (torch adds two biases: the
    second stays zero). torch's own draws have a third of that variance in a convolution
    of equal widths. Other layers stay as they are.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM):
            for name, parameter in module.named_parameters():
                if name.startswith("weight_ih"):
                    nn.init.xavier_uniform_(parameter)
                elif name.startswith("weight_hh"):
                    nn.init.orthogonal_(parameter)
                else:
                    nn.init.zeros_(parameter)
                    if name.startswith("bias_ih"):
                        size = module.hidden_size
                        nn.init.ones_(parameter[size : 2 * size])
    return network
