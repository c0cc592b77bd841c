"""The layers of a submission's network."""

from torch import nn


def find_layers(model, way, hidden):
    """The handout's two LSTMs, by their sizes, whatever they are called; None if there are none."""
    wanted = [(784 + way, hidden), (hidden, way)]
    lstms = [module for module in nn.Module.modules(model) if isinstance(module, nn.LSTM)]
    layers = [
        module
        for size in wanted
        for module in lstms
        if (module.input_size, module.hidden_size) == size
        and (module.num_layers, module.bidirectional, module.bias) == (1, False, True)
        and module.proj_size == 0
        and len([*module.parameters()]) == 4  # one of a subclass may have more
    ]
    return layers if len(layers) == 2 else None


def named_weights(layers):
    """(name, parameter) of both layers: "layer1.weight_ih_l0" and so on."""
    for number, layer in enumerate(layers, start=1):
        for name, parameter in layer.named_parameters():
            yield f"layer{number}.{name}", parameter


def repr_layers(model):
    """The model's layers in one line."""
    return ", ".join(repr(child) for child in nn.Module.children(model))[:300]
