import dataclasses
import math

import pytest
import torch
from torch import nn

from siambench.errors import PluginError
from siambench.plugin import BackboneEntry
from siambench.spec import FORMS, Method, ModelSpec
from siambench.testing import synthetic_dataset
from siambench.training.model import EmbeddingModel, build_model, pretrained_features


def test_a_backbone_must_give_rows_of_features(exam_of):
    """A trunk that gives a map instead of features is a PluginError with the shape it gave."""
    entry = BackboneEntry(lambda: nn.Conv2d(1, 2, 3), source="made up")
    with pytest.raises(PluginError, match=r"backbone 'mlp' must give features \[B, F\], got shape \(2, 2, 6, 6\)"):
        exam_of(Method("contrastive"), backbone=entry).run()


def test_a_backbone_may_flatten_by_view(exam_of):
    """The usual ``x.view(len(x), -1)`` after a convolution works, whatever memory format the harness prefers."""

    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 4, 3)

        def forward(self, images):
            found = self.layer(images)
            return found.view(len(found), -1)

    exam = exam_of(Method("contrastive"), backbone=BackboneEntry(Viewing, source="made up"))

    assert len(exam.run().curve) == 2


# ---- what a backbone is built with


def unit_of(exam_of, backbone="mlp", **options):
    """A unit with that backbone and an embedding of five numbers."""
    model = ModelSpec(backbone=backbone, options=options, embedding_size=5)
    return exam_of(Method("contrastive")).changed(model=model).unit


@pytest.mark.parametrize("form", FORMS)
def test_a_backbone_is_built_for_the_items(exam_of, form):
    """Its factory gets the shape of an item, the vocabulary of tokens, and the options; its trunk is tried on items of that form."""
    dataset, told, seen = synthetic_dataset(form=form, size=6), {}, []

    class Trunk(nn.Module):
        def forward(self, items):
            seen.append((items.dtype, tuple(items.shape), torch.is_grad_enabled(), self.training))
            return items.float().flatten(1)

    def build(input_shape, vocabulary=None, width=3):
        told.update(input_shape=input_shape, vocabulary=vocabulary, width=width)
        return Trunk()

    entry = BackboneEntry(build, defaults={"width": 3}, takes=FORMS, source="made up")
    model = build_model(unit_of(exam_of, width=7), entry, dataset)

    assert {"input_shape": dataset.shape, "vocabulary": dataset.vocabulary, "width": 7} == told
    assert seen == [(torch.int64 if form == "tokens" else torch.float32, (2, *dataset.shape), False, False)]
    assert (model.head.in_features, model.head.out_features) == (int(torch.tensor(dataset.shape).prod()), 5)


def test_a_vocabulary_is_for_tokens_alone(exam_of):
    """A trunk that needs a vocabulary cannot be built for items that have none: Python's own message says so."""
    entry = BackboneEntry(lambda vocabulary: nn.Embedding(vocabulary, 3), takes=FORMS, source="made up")

    with pytest.raises(TypeError, match="vocabulary"):
        build_model(unit_of(exam_of), entry, synthetic_dataset(form="arrays"))


def test_weights_follow_the_units_own_seed(exam_of, bits, smooth):
    """Trunk and head are drawn from the unit's seed for weights, whatever the global state is, and from no other of its seeds."""
    unit, dataset = unit_of(exam_of), synthetic_dataset()

    def built(**seeds):
        torch.manual_seed(len(seeds) + 5)
        return bits(build_model(dataclasses.replace(unit, seeds={**unit.seeds, **seeds}), smooth, dataset))

    assert built() == built(order=1, loss=2, augmentation=3)
    assert built() != built(weights=1)


def test_trying_a_trunk_leaves_it_untouched(exam_of, bits, catalogue):
    """BatchNorm's statistics are those of a new network: what a trunk is tried with does not count."""
    unit = unit_of(exam_of, "conv4", width=4, blocks=2, growth=1, dropout=0.0)
    model = build_model(unit, catalogue.get("backbones", "conv4").entry, synthetic_dataset())
    state = model.trunk.state_dict()

    for name in (name for name in state if name.endswith(("running_mean", "num_batches_tracked"))):
        assert not state[name].any(), name
    assert model.memory_format == torch.channels_last


@pytest.mark.parametrize("form", ["arrays", "tokens"])
def test_a_memory_format_is_for_images(exam_of, smooth, form):
    """Items without channels in rows and columns stay as they are in memory."""
    assert build_model(unit_of(exam_of), smooth, synthetic_dataset(form=form)).memory_format == torch.contiguous_format


def test_embeddings_are_the_head_of_the_trunk():
    """An embedding is a linear map of the features, with a bias, and not normalised."""
    trunk = nn.Flatten()
    model, images = EmbeddingModel(trunk, 4, 3), torch.rand(5, 1, 2, 2)

    assert torch.allclose(images.flatten(1) @ model.head.weight.T + model.head.bias, model(images), atol=1e-6)


def test_pretrained_features_are_those_of_the_trunk(exam_of, smooth):
    """The baseline ``pretrained`` is the trunk that training would start from, without the head."""
    unit, dataset = unit_of(exam_of), synthetic_dataset()
    trunk, images = pretrained_features(unit, smooth, dataset), torch.rand(3, *dataset.shape)

    assert torch.equal(build_model(unit, smooth, dataset).trunk(images), trunk(images))
    assert trunk(images).shape == (3, 12)


@pytest.mark.parametrize(("features", "size"), [(5, 5), (7, 5), (3, 5)])
def test_a_head_may_start_as_the_identity(exam_of, features, size):
    """Where the trunk says so, the first embeddings are its features, the first of them, or all of them and zeros; else they are drawn."""
    shape = synthetic_dataset().shape

    def build(start):
        trunk = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), features))
        trunk.head_start = start
        return trunk

    items = torch.rand(4, *shape)
    made = {}
    for start in ("identity", "drawn"):
        entry = BackboneEntry(lambda start=start: build(start), source="made up")
        made[start] = build_model(unit_of(exam_of), entry, synthetic_dataset())
    with torch.no_grad():
        given = made["identity"].trunk(items)
        expected = torch.zeros(4, size)
        expected[:, : min(features, size)] = given[:, :size]
        assert torch.equal(expected, made["identity"](items))
        assert torch.equal(given, made["drawn"].trunk(items))
        assert not torch.allclose(expected, made["drawn"](items))
    with pytest.raises(PluginError, match="head_start of backbone 'mlp' must be 'drawn' or 'identity', got 'eye'"):
        build_model(unit_of(exam_of), BackboneEntry(lambda: build("eye"), source="made up"), synthetic_dataset())
