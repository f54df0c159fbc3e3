"""Networks for tokens int64 [B, T], padded with 0."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.builtin.backbones import siambench_backbones
from siambench.plugin import call_factory

ENTRIES = siambench_backbones()
NETWORKS = ("bag", "gated-bag", "gru-text")
VOCABULARY = 11
TOKENS = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 0, 0], [10, 0, 0, 0, 0], [8, 7, 6, 5, 0]])


def build(name, **options):
    """The backbone as its entry builds it, in evaluation mode."""
    torch.manual_seed(0)
    available = {**ENTRIES[name].defaults, **options, "vocabulary": VOCABULARY, "input_shape": (5,)}
    return call_factory(ENTRIES[name].build, available).eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_they_take_tokens_alone(name):
    """Their entries say that they are for tokens."""
    assert ENTRIES[name].takes == ("tokens",)


@pytest.mark.parametrize(
    ("name", "options", "features"), [("bag", {"width": 6}, 6), ("gated-bag", {"width": 6}, 6), ("gru-text", {"size": 3, "width": 6}, 12)]
)
def test_features_are_one_row_per_text(name, options, features):
    """Features are fp32 [B, F], finite, one row per item, and an item's do not depend on the others of its batch."""
    module = build(name, **options)
    found = module(TOKENS)

    assert found.shape == (4, features)
    assert found.dtype == torch.float32
    assert bool(torch.isfinite(found).all())
    for place in range(4):
        assert torch.allclose(found[place], module(TOKENS[place : place + 1])[0], atol=1e-6)


def test_bag_is_the_mean_of_the_vectors_of_the_tokens():
    """A token that stands twice counts twice, and padding does not count."""
    module = build("bag", width=6)
    vectors = module.vectors.weight

    expected = [(vectors[3] + 2 * vectors[1] + vectors[4] + vectors[5]) / 5, (vectors[9] + vectors[2] + vectors[6]) / 3, vectors[10]]
    assert torch.allclose(torch.stack(expected), module(TOKENS)[:3], atol=1e-6)


def test_bag_does_not_read_the_order():
    """Of a bag the features are the same in whatever order the tokens stand; of a recurrent network they are not."""
    bag, recurrent, backwards = build("bag"), build("gru-text"), TOKENS[:1].flip(1)

    assert torch.allclose(bag(TOKENS[:1]), bag(backwards), atol=1e-6)
    assert not torch.allclose(recurrent(TOKENS[:1]), recurrent(backwards), atol=1e-4)


def test_gated_bag_begins_as_a_bag_and_shuts_words_by_their_gates():
    """Untrained its features are the mean of the vectors; a word whose gate is shut counts no more, and the gates of all are trained."""
    module = build("gated-bag", width=6)
    vectors = module.vectors.weight
    assert torch.allclose((vectors[3] + 2 * vectors[1] + vectors[4] + vectors[5]) / 5, module(TOKENS)[0], atol=1e-6)

    with torch.no_grad():
        module.gates.weight[1] = -30
    assert torch.allclose((vectors[3] + vectors[4] + vectors[5]) / 3, module(TOKENS)[0], atol=1e-6)
    module(TOKENS).square().sum().backward()
    assert bool((module.gates.weight.grad[[3, 4, 5]] != 0).all())
    assert torch.equal(module(torch.zeros(1, 5, dtype=torch.int64)), torch.zeros(1, 6))


def test_gru_text_is_the_mean_of_its_states_over_the_tokens():
    """Its features are those of torch's bidirectional network on the item alone, cut to its tokens."""
    module = build("gru-text", size=3, width=4)
    reference = nn.GRU(3, 4, batch_first=True, bidirectional=True)
    state = dict(module.forwards.state_dict())
    state |= {f"{name}_reverse": value for name, value in module.backwards.state_dict().items()}
    reference.load_state_dict(state)

    for row, found in zip(TOKENS, module(TOKENS), strict=True):
        states, _ = reference(module.vectors(row[row != 0])[None])
        assert torch.allclose(states.mean(dim=1)[0], found, atol=1e-6)


@pytest.mark.parametrize("padding", [1, 2, 40])
@pytest.mark.parametrize("name", NETWORKS)
def test_features_do_not_depend_on_padding(name, padding):
    """However much padding follows, the features are the same, in training as in evaluation, and so are all gradients."""
    results = []
    for tokens in (TOKENS, functional.pad(TOKENS, (0, padding))):
        module = build(name).train()
        features = module(tokens)
        features.square().sum().backward()
        results.append((features, [parameter.grad for parameter in module.parameters()]))

    assert torch.allclose(results[0][0], results[1][0], atol=1e-6)
    for short, long in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(short, long, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_empty_text_has_features(name):
    """An item of nothing but padding has features of zero, and no gradient that is not finite."""
    module = build(name).train()
    found = module(torch.cat([TOKENS, torch.zeros(1, 5, dtype=torch.int64)]))
    found.square().sum().backward()

    assert not found[-1].any()
    assert all(bool(torch.isfinite(parameter.grad).all()) for parameter in module.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name):
    """A loss of the features moves every parameter: of the vectors those of the tokens that occur, and never that of padding."""
    module = build(name).train()
    features = module(TOKENS)
    functional.mse_loss(features, torch.randn(features.shape, generator=torch.Generator().manual_seed(1))).backward()

    for parameter_name, parameter in module.named_parameters():
        assert bool(torch.isfinite(parameter.grad).all()), parameter_name
        assert bool(parameter.grad.any()), parameter_name
    moved = module.vectors.weight.grad.any(dim=1).nonzero().flatten().tolist()
    assert sorted(set(TOKENS.flatten().tolist()) - {0}) == moved


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_is_there_where_it_is_asked_for(name):
    """Dropout moves the features in training, and never in evaluation."""
    module = build(name, dropout=0.5)

    assert torch.equal(module(TOKENS), module(TOKENS))
    module.train()
    assert not torch.equal(module(TOKENS), module(TOKENS))
    assert torch.equal(build(name).train()(TOKENS), build(name)(TOKENS))


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_follow_the_global_seed(name):
    """Two networks built after one seed have the same weights."""
    first, second = build(name), build(name)

    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
