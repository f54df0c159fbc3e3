"""A network fine-tuned on a few labelled items, beside a loop in plain torch."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.evaluation import tuned
from siambench.evaluation.tuned import EPOCHS, RATE, SCALE, fine_tuned

CPU = torch.device("cpu")


class Network(nn.Module):
    """Has all that must be still: BatchNorm, dropout; and a frozen layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.frozen = nn.Linear(8, 8).requires_grad_(requires_grad=False)
        self.last = nn.Linear(8, 4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, items):
        """Embeddings [B, 4]."""
        return self.last(self.dropout(self.frozen(torch.relu(self.norm(self.first(items))))))


@pytest.fixture
def given():
    """A network, labelled items of three classes of unlike size, and items to ask."""
    torch.manual_seed(0)
    network = Network()
    network.norm.running_mean.normal_()
    generator = np.random.default_rng(0)
    labels = torch.tensor([9, 2, 2, 5, 9, 9, 2])
    centres = generator.normal(size=(10, 6))
    known = (centres[labels] + 0.3 * generator.normal(size=(7, 6))).astype(np.float32)
    asked = (centres[generator.choice([2, 5, 9], 50)] + generator.normal(size=(50, 6))).astype(np.float32)
    return network, known, labels, asked


def run(network, known, labels, asked):
    """Fine-tune and ask."""
    return fine_tuned(network, known.__getitem__, labels, asked.__getitem__, len(asked), form="arrays", device=CPU)


def by_hand(network, known, labels, asked):
    """The recipe, written down once more: whole batches, one step an epoch."""
    network = copy.deepcopy(network).eval()
    known, asked, classes = torch.from_numpy(known), torch.from_numpy(asked), sorted(set(labels.tolist()))
    with torch.no_grad():
        made = network(known)
    weights = nn.Parameter(torch.stack([functional.normalize(made[labels == c].mean(dim=0), dim=0) for c in classes]))
    biases = nn.Parameter(torch.zeros(len(classes)))
    answers = torch.tensor([classes.index(int(label)) for label in labels])
    optimiser = torch.optim.Adam([*(p for p in network.parameters() if p.requires_grad), weights, biases], lr=RATE)
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        functional.cross_entropy(SCALE * functional.normalize(network(known)) @ weights.T + biases, answers).backward()
        optimiser.step()
    with torch.no_grad():
        return torch.tensor(classes)[(SCALE * functional.normalize(network(asked)) @ weights.T + biases).argmax(dim=1)]


def test_the_recipe_is_that_of_a_plain_loop(given, monkeypatch):
    """Labels are those of a loop over whole batches, also where activations of three items at once are kept; and training moves some."""
    monkeypatch.setattr(tuned, "RATE", 0.02)
    monkeypatch.setitem(globals(), "RATE", 0.02)
    expected = by_hand(*given)
    assert torch.equal(expected, run(*given))
    monkeypatch.setattr(tuned, "_AT_ONCE", 3)
    assert torch.equal(expected, run(*given))
    monkeypatch.setattr(tuned, "EPOCHS", 0)
    assert not torch.equal(expected, run(*given))
    assert {2, 5, 9} == set(expected.tolist())


def test_the_model_and_the_generators_are_as_they_were(given):
    """Bit for bit: parameters, statistics, gradients, mode and the global generator; asked under no_grad, and twice with one answer."""
    network, *rest = given
    network.train()
    before, drawn = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    network.eval()
    with torch.no_grad():
        first = run(network, *rest)
    second = run(network, *rest)
    assert torch.equal(first, second)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.training
    assert torch.equal(drawn, torch.get_rng_state())


def test_networks_of_images_tokens_and_recurrent_ones_are_trained():
    """Items of each form reach the network as they do in training, and a recurrent layer has a gradient in evaluation mode."""

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.layer = nn.Embedding(20, 5), nn.GRU(5, 4, batch_first=True)

        def forward(self, items):
            return self.layer(self.table(items))[0][:, -1]

    tokens = np.random.default_rng(0).integers(1, 20, (12, 6))
    labels = torch.arange(6) % 2
    found = fine_tuned(Recurrent(), tokens.__getitem__, labels, tokens.__getitem__, 12, form="tokens", device=CPU)
    assert found.shape == (12,)
    assert {0, 1} >= set(found.tolist())
    images = np.zeros((6, 1, 4, 4), dtype=np.uint8)
    images[::2, :, :2], images[1::2, :, 2:] = 200, 250
    found = fine_tuned(
        nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), images.__getitem__, labels, images.__getitem__, 6, form="images", device=CPU
    )
    assert torch.equal(found, labels)
