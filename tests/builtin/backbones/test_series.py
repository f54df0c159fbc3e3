"""Networks for series: arrays [B, C, T]."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.builtin.backbones import siambench_backbones
from siambench.errors import ConfigError
from siambench.plugin import call_factory

ENTRIES = siambench_backbones()
NETWORKS = ("cnn1d", "gru")


def build(name, shape, **options):
    """The backbone as its entry builds it."""
    torch.manual_seed(0)
    return call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **options, "input_shape": shape})


def series(*shape, seed=0):
    """Random arrays."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NETWORKS)
def test_they_take_arrays_alone(name):
    """Their entries say that they are for arrays."""
    assert ENTRIES[name].takes == ("arrays",)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 5), (2, 64), (9, 128)])
@pytest.mark.parametrize("name", NETWORKS)
def test_features_are_one_row_per_series(name, shape):
    """Whatever the numbers of channels and moments, features are fp32 [B, F], finite, and F depends on the width alone."""
    module = build(name, shape).eval()
    found = module(series(4, *shape))

    assert found.shape == (4, 128)
    assert found.dtype == torch.float32
    assert bool(torch.isfinite(found).all())
    assert torch.allclose(found[:1], module(series(4, *shape)[:1]), atol=1e-6)


@pytest.mark.parametrize(("options", "features"), [({"width": 5, "blocks": 1}, 5), ({"width": 5, "blocks": 3}, 20)])
def test_cnn1d_doubles_its_channels(options, features):
    """The first block has the width that was asked for, each further one twice as many channels."""
    assert build("cnn1d", (2, 32), **options).eval()(series(2, 2, 32)).shape == (2, features)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8])
def test_cnn1d_takes_any_kernel_and_any_length(kernel, length):
    """Odd and even kernels, wider than the series included, leave something to average for as many blocks as are asked for."""
    found = build("cnn1d", (2, length), kernel=kernel, blocks=5, width=3).eval()(series(2, 2, length))

    assert found.shape == (2, 48)
    assert bool(torch.isfinite(found).all())


def test_gru_is_the_mean_of_its_states():
    """The features are the means over time of the states of both directions, as torch's own cells give them."""
    module, arrays = build("gru", (3, 6), width=4), series(2, 3, 6)
    weights = dict(module.gru.named_parameters())
    means = []
    for direction in ("", "_reverse"):
        cell = nn.GRUCell(3, 4)
        cell.load_state_dict({name: weights[f"{name}_l0{direction}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")})
        state, states = torch.zeros(2, 4), []
        for moment in reversed(range(6)) if direction else range(6):
            state = cell(arrays[:, :, moment], state)
            states.append(state)
        means.append(torch.stack(states).mean(dim=0))

    assert torch.allclose(torch.cat(means, dim=1), module(arrays), atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_of_gru_is_between_layers(layers):
    """With several layers dropout moves the features in training; with one there is nothing between, and no warning of it."""
    module, arrays = build("gru", (3, 6), layers=layers, dropout=0.5).train(), series(4, 3, 6)

    assert torch.equal(module(arrays), module(arrays)) == (layers == 1)
    module.eval()
    assert torch.equal(module(arrays), module(arrays))


def test_dropout_of_cnn1d_is_there_where_it_is_asked_for():
    """Dropout moves the features in training, and never in evaluation; without it there is none."""
    module, arrays = build("cnn1d", (3, 16), dropout=0.5), series(4, 3, 16)

    assert not torch.equal(module.train()(arrays), module(arrays))
    assert torch.equal(module.eval()(arrays), module(arrays))
    assert not any(isinstance(part, nn.Dropout) for part in build("cnn1d", (3, 16)).modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name):
    """A loss of the features moves every parameter of the network."""
    module = build(name, (3, 32), **({"layers": 2} if name == "gru" else {})).train()
    target = series(8, 128, seed=1)
    functional.mse_loss(module(series(8, 3, 32)), target).backward()

    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert bool(torch.isfinite(parameter.grad).all()), parameter_name
        assert bool(parameter.grad.any()), parameter_name


@pytest.mark.parametrize("name", NETWORKS)
def test_the_order_of_moments_matters(name):
    """A series read backwards has other features: these are no bags of moments."""
    module, arrays = build(name, (3, 32)).eval(), series(4, 3, 32)

    assert not torch.allclose(module(arrays), module(arrays.flip(2)), atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_follow_the_global_seed(name):
    """Two networks built after one seed have the same weights."""
    first, second = build(name, (3, 32)), build(name, (3, 32))

    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("shape", [(5,), (1, 8, 8), (2, 3, 4, 5)])
@pytest.mark.parametrize("name", NETWORKS)
def test_other_shapes_are_refused_in_one_sentence(name, shape):
    """Arrays that are no series of channels are refused with the shape they have."""
    with pytest.raises(ConfigError) as caught:
        build(name, shape)

    assert str(caught.value) == f"{name} takes arrays of shape (C, T), got {shape}"
