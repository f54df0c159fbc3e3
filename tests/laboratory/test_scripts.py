"""The scripts after the patterns of tutorials: each has the fault that it says, and is called by its name where there is `diagnose`."""

from __future__ import annotations

import copy
import importlib

import pytest
import torch
from letters import fit, letters
from object_runs import Objects
from seam import verdict_of
from torch import nn

import siambench

EXPECTED = {
    "random_labels": (("no-signal", "diverged"), ()),
    "similar_is_one": (("label-mixup",), ()),
    "bool_labels": (("diverged", "frozen"), ()),
    "unreduced": (("frozen",), ()),
    "numpy_mining": (("frozen",), ()),
    "two_networks": (("ok",), ("unshared",)),
}
"""Verdicts that are right, and findings that must be among those found."""


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def made(name):
    """The objects of a script: model, loss, batches, optimiser."""
    return importlib.import_module(name).objects()


def distances(model, first, second):
    """Between the embeddings of pairs."""
    with torch.no_grad():
        return (model(first) - model(second)).norm(dim=1)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_script_gives_what_diagnose_takes(name):
    """Each gives a model, a loss that can be called, batches of letters, and an optimiser of the model's parameters."""
    model, loss, batches, optimiser = made(name)
    assert isinstance(model, nn.Module)
    assert callable(loss)
    assert {id(p) for group in optimiser.param_groups for p in group["params"]} == {id(p) for p in model.parameters()}
    assert all(items.shape[1:] == (1, 24, 24) for items in batches[0][:1])
    assert len(letters()[0]) > 400


def test_random_labels_say_nothing_and_a_self_pair_ends_it():
    """Whether a pair bears a 1 says nothing of whether its letters are of one class; and one pair is an item with itself."""
    _, _, batches, _ = made("random_labels")
    images, labels = letters()
    place = {image.numpy().tobytes(): label for image, label in zip(images, labels.tolist(), strict=True)}
    alike = [
        (place[a.numpy().tobytes()] == place[b.numpy().tobytes()], bool(word))
        for first, second, words in batches
        for a, b, word in zip(first, second, words, strict=True)
    ]
    share = sum(word for _, word in alike) / len(alike)
    assert 0.5 == pytest.approx(share, abs=0.05)
    assert share == pytest.approx(sum(word for same, word in alike if same) / sum(same for same, _ in alike), abs=0.25)
    assert any(torch.equal(a, b) for first, second, _ in batches for a, b in zip(first, second, strict=True))


def test_a_one_that_means_different_pulls_what_differs(capsys):
    """While the printed loss falls, letters of one class come to lie further apart in proportion to others."""
    model, loss, batches, optimiser = made("similar_is_one")
    first, second, same = batches[0]

    def proportion():
        found = distances(model, first, second)
        return float(found[same == 1].mean() / found[same == 0].mean())

    before = proportion()
    means = fit(model, loss, batches, optimiser, call=lambda model, batch: (model(batch[0]), model(batch[1]), batch[2]))
    assert means[-1] < means[0]
    assert f"epoch 3: loss {means[-1]:.4f}" in capsys.readouterr().out
    assert proportion() > before


def test_bool_labels_raise_and_numbers_end_in_nan():
    """`1 - label` of a bool raises; with numbers one step leaves no finite weight, for there are pairs of an item with itself."""
    model, loss, batches, _ = made("bool_labels")
    first, second, label = batches[0]
    assert label.dtype == torch.bool
    with pytest.raises(RuntimeError, match="bool"):
        loss(model(first), model(second), label)
    model, loss, batches, optimiser = importlib.import_module("bool_labels").mended_by_half()
    first, second, label = batches[0]
    value = loss(model(first), model(second), label)
    assert bool(torch.isfinite(value))
    value.backward()
    optimiser.step()
    assert all(bool(p.isnan().any()) for p in model.parameters())


def test_an_unreduced_loss_raises_and_its_sum_is_as_large_as_the_batch():
    """`backward` of one value a triplet raises; with ones the gradient is that of the mean times the number of triplets."""
    model, loss, batches, _ = made("unreduced")
    embeddings = [model(items) for items in batches[0]]
    values = loss(*embeddings)
    assert (48,) == values.shape
    with pytest.raises(RuntimeError, match="scalar outputs"):
        values.backward()
    parameters = list(model.parameters())
    summed = torch.autograd.grad(values, parameters, torch.ones_like(values), retain_graph=True)
    mean = torch.autograd.grad(values.mean(), parameters)
    for one, other in zip(summed, mean, strict=True):
        torch.testing.assert_close(one, 48 * other, rtol=1e-3, atol=1e-4)


def test_numpy_mining_moves_nothing():
    """`backward` runs, no parameter gets a gradient, and after an epoch every weight is what it was to the last bit."""
    model, loss, batches, optimiser = made("numpy_mining")
    before = copy.deepcopy(model.state_dict())
    fit(model, loss, batches[:3], optimiser, call=lambda model, batch: (model(batch[0]), batch[1]), epochs=1)
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_two_networks_embed_one_letter_twice():
    """The two share no parameter, and one letter has another embedding on the left than on the right."""
    model, _, batches, _ = made("two_networks")
    assert not {id(p) for p in model.left.parameters()} & {id(p) for p in model.right.parameters()}
    items = batches[0][0]
    with torch.no_grad():
        left, right = model(items, items)
    assert float((left - right).norm(dim=1).min()) > 0.1


@pytest.mark.parametrize("name", EXPECTED)
def test_a_script_is_called_by_its_name(name):
    """Where there is `siambench.diagnose`, it gives the verdict and the findings that the script is written for, and changes no weight."""
    model, loss, batches, optimiser = made(name)
    before = copy.deepcopy(model.state_dict())
    found = verdict_of(Objects(model=model, loss=loss, batches=batches, optimiser=optimiser))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    if found is None:
        assert not hasattr(siambench, "diagnose")
        return
    verdicts, findings = EXPECTED[name]
    told = {one.name for one in found.findings}
    assert found.verdict in verdicts
    assert {*findings} <= told
