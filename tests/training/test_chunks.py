"""Batches embedded in chunks: the step of the whole batch in the memory of a chunk."""

import dataclasses
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from siambench.errors import PluginError
from siambench.plugin import BackboneEntry, LossEntry
from siambench.spec import FORMS, Method
from siambench.training.chunks import InChunks
from siambench.training.components import own_similarity

RULES = {"epochs": 2, "steps_per_epoch": 3, "batch_size": 16, "optimiser": "sgd", "schedule": "constant"}
CHUNKS = [1, 3, 7, 15, 50]
METHODS = [Method("supcon"), Method("triplet", "semihard"), Method("arcface"), Method("contrastive", feed="pairs")]


def of_chunks(exam, chunk, **told):
    """The same exam with chunks of so many items."""
    return exam.params(loss__chunk=chunk, loss__per_chunk_batchnorm=told.get("per_chunk_batchnorm", False))


def far(one, other):
    """The largest difference between two modules' numbers."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_training_in_chunks_is_training(exam_of, smooth, method, chunk):
    """Without BatchNorm, weights, the loss's own parameters and figures after some steps are those of whole batches, to 1e-5."""
    options = {"training": RULES, "backbone": smooth, "augment": {"rotate": 20.0}}
    plain = exam_of(method, **options).params(optimiser__lr=0.1).run()
    wrapped = dataclasses.replace(method, loss=f"gradcache({method.loss})")
    exam = exam_of(wrapped, **options)
    exam.params(**{name.replace("loss.", f"loss.{method.loss}."): value for name, value in exam.unit.params.items() if name == "loss.lr"})
    chunked = of_chunks(exam.params(optimiser__lr=0.1), chunk).run()

    assert far(plain.model, exam.untrained()) > 1e-3
    assert far(plain.model, chunked.model) < 1e-5
    for one, other in zip(plain.loss.parameters(), chunked.loss.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    for one, other in zip(plain.curve, chunked.curve, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-5)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, abs=1e-5)
        assert one.tuples == other.tuples


class Frozen(nn.Module):
    """A convolution with BatchNorm that stays in evaluation mode."""

    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, 6, 3), nn.BatchNorm2d(6), nn.Tanh(), nn.Flatten())

    def train(self, mode=True):  # noqa: FBT002  torch's signature
        """BatchNorm stays as it is."""
        super().train(mode)
        self.layers[1].eval()
        return self

    def forward(self, items):
        """Features [B, F]."""
        return self.layers(items)


def test_frozen_batchnorm_is_no_batchnorm(exam_of):
    """Where the statistics are not those of the batch, chunks are the whole batch to 1e-5, and nothing is refused."""
    entry = BackboneEntry(lambda input_shape: Frozen(input_shape[0]), source="made up")
    plain = exam_of(Method("supcon"), training=RULES, backbone=entry).params(optimiser__lr=0.1).run()
    chunked = of_chunks(exam_of(Method("gradcache(supcon)"), training=RULES, backbone=entry).params(optimiser__lr=0.1), 4).run()

    assert far(plain.model, chunked.model) < 1e-5


class Drawing(nn.Module):
    """A network that draws from every global generator, and remembers what."""

    def __init__(self):
        super().__init__()
        self.layer, self.drop, self.drawn = nn.Linear(6, 4), nn.Dropout(0.5), []

    def forward(self, items):
        """Embeddings [B, 4]."""
        kept = self.drop(self.layer(items))
        self.drawn.append((kept.detach().clone(), np.random.rand(), random.random()))  # noqa: NPY002
        return kept * (1 + self.drawn[-1][1] + self.drawn[-1][2])


def test_what_a_chunk_draws_is_drawn_again():
    """Embedded the second time, a chunk has the dropout of the first: the gradient is that of one graph over the same draws."""
    torch.manual_seed(3)
    items, network = torch.randn(11, 6), Drawing()
    for draw in (torch.manual_seed, np.random.seed, random.seed):
        draw(8)
    whole = torch.cat([network(part) for part in items.split(4)])
    after = torch.rand(3)
    (whole.square().sum(dim=0).prod()).backward()
    expected = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    network.drawn.clear()

    for draw in (torch.manual_seed, np.random.seed, random.seed):
        draw(8)
    embeddings = InChunks(network, chunk=4, per_chunk_batchnorm=False)(items)
    drawn_on = torch.rand(3)
    (embeddings.square().sum(dim=0).prod()).backward()
    first, second = network.drawn[:3], network.drawn[3:]

    assert torch.equal(whole, embeddings)
    assert all(torch.equal(one[0], other[0]) and one[1:] == other[1:] for one, other in zip(first, second, strict=True))
    assert all(torch.allclose(one, p.grad, rtol=1e-5) for one, p in zip(expected, network.parameters(), strict=True))
    # Whoever draws behind the network, such as the loss, draws what it would have drawn.
    assert torch.equal(after, drawn_on)


def test_the_generators_go_on_where_the_first_pass_left_them():
    """The second pass leaves no trace in the generators: what is drawn after the backward pass does not depend on it."""
    torch.manual_seed(3)
    items, network = torch.randn(9, 6), Drawing()
    embeddings = InChunks(network, chunk=4, per_chunk_batchnorm=False)(items)
    before = torch.get_rng_state(), random.getstate()
    embeddings.sum().backward()

    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()


def test_batchnorm_is_refused_unless_it_is_told():
    """A network whose BatchNorm would take its statistics from a chunk is refused in a sentence; told, each has its own, moved once."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    with pytest.raises(PluginError, match="BatchNorm, whose statistics would be those of a chunk"):
        InChunks(network, chunk=4, per_chunk_batchnorm=False)
    items = torch.randn(8, 6)
    reference = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    reference.load_state_dict(network.state_dict())
    torch.cat([reference(part) for part in items.split(4)]).square().sum(dim=0).prod().backward()

    InChunks(network, chunk=4, per_chunk_batchnorm=True)(items).square().sum(dim=0).prod().backward()

    assert all(torch.equal(one, other) for one, other in zip(reference.buffers(), network.buffers(), strict=True))
    for one, other in zip(reference.parameters(), network.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_chunks_are_alike_in_size_so_that_none_has_one_item():
    """Nine items in chunks of at most four are three of three; where one would stand alone a network with BatchNorm is refused it."""
    sizes = []
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    network.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    items = torch.randn(9, 2)
    InChunks(network, chunk=4, per_chunk_batchnorm=True)(items).sum().backward()
    assert [3] * 6 == sizes
    InChunks(network, chunk=8, per_chunk_batchnorm=True)(items)
    assert [5, 4] == sizes[6:]
    for chunk in (1, 2):
        with pytest.raises(PluginError, match=f"^9 items in chunks of {chunk} leave one alone, and BatchNorm has no statistics of one: "):
            InChunks(network, chunk=chunk, per_chunk_batchnorm=True)(items)
    InChunks(nn.Linear(2, 3), chunk=2, per_chunk_batchnorm=False)(items).sum().backward()


def most_saved(run):
    """The most memory that tensors kept for a backward pass hold at once, in bytes."""
    held, most = {}, 0

    class Kept:
        def __init__(self, tensor):
            nonlocal most
            self.tensor, self.key = tensor, tensor.untyped_storage().data_ptr()
            count, size = held.get(self.key, (0, tensor.untyped_storage().nbytes()))
            held[self.key] = count + 1, size
            most = max(most, sum(size for _, size in held.values()))

        def __del__(self):
            count, size = held.pop(self.key)
            if count > 1:
                held[self.key] = count - 1, size

    with saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        run()
    return most


def test_the_memory_is_that_of_a_chunk():
    """What is kept for the backward pass is that of one chunk at a time: a sixteenth of the batch takes less than a fifth."""
    torch.manual_seed(1)
    network = nn.Sequential(*(part for _ in range(16) for part in (nn.Linear(32, 32), nn.Tanh())))
    items = torch.randn(4096, 32)
    whole = most_saved(lambda: network(items).square().mean().backward())
    chunked = most_saved(lambda: InChunks(network, chunk=256, per_chunk_batchnorm=False)(items).square().mean().backward())

    assert chunked < whole / 5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_passes_are_of_one_precision(exam_of, precision):
    """Under bf16 a chunk is embedded in 16 bits both times, in fp32 neither time; the loss is given fp32."""
    seen = []

    class Told(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.layer = nn.Linear(inputs, 5)

        def forward(self, items):
            rows = self.layer(items.flatten(1))
            seen.append((len(items), rows.dtype))
            return rows

    entry = BackboneEntry(lambda input_shape: Told(int(np.prod(input_shape))), takes=FORMS, source="made up")
    rules = {**RULES, "epochs": 1, "steps_per_epoch": 1, "precision": precision}
    exam = exam_of(Method("gradcache(supcon)"), training=rules, backbone=entry)
    of_chunks(exam, 5).run()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32

    assert [(size, dtype) for size in (4, 4, 4, 4) * 2] == [one for one in seen if one[0] != 2]


def test_a_run_without_chunks_is_untouched(exam_of, bits):
    """A loss that is not chunked never meets the mechanism: its run is the same, bit for bit, as where chunks hold the whole batch."""
    plain = exam_of(Method("supcon"), training=RULES).run()
    whole = of_chunks(exam_of(Method("gradcache(supcon)"), training=RULES), 16, per_chunk_batchnorm=True).run()

    assert bits(plain.model) == bits(whole.model)


def test_a_plugins_own_loss_may_be_chunked(exam_of, smooth):
    """The entry says so, and its parameters say how large a chunk is."""
    sizes = []

    class Seen(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.layer = nn.Linear(inputs, 4)

        def forward(self, items):
            sizes.append(len(items))
            return self.layer(items.flatten(1))

    class Mean(nn.Module):
        def forward(self, embeddings, labels):
            return embeddings.square().mean()

    def build(chunk, per_chunk_batchnorm):
        return Mean()

    loss = LossEntry(build, chunked=True, defaults={"chunk": 6, "per_chunk_batchnorm": False}, source="made up")
    entry = BackboneEntry(lambda input_shape: Seen(int(np.prod(input_shape))), source="made up")
    exam = exam_of(Method("contrastive"), training=RULES, backbone=entry, loss=loss)
    of_chunks(exam, 6).run()

    assert [6, 5, 5] * 12 == sizes[1:]


def test_a_loss_in_chunks_is_judged_by_its_own_similarity_too(exam_of, smooth):
    """Where the loss brings a similarity, that of the trained loss in chunks is that of the loss alone."""
    options = {"training": RULES, "backbone": smooth}
    plain = exam_of(Method("verification-head"), **options).run()
    chunked = of_chunks(exam_of(Method("gradcache(verification-head)"), **options), 5).run()
    left, right = torch.randn(4, 8), torch.randn(3, 8)
    one, other = (own_similarity(trained.loss, normalise=True) for trained in (plain, chunked))

    assert one is not None
    assert other is not None
    assert torch.allclose(one(left, right), other(left, right), atol=1e-5)
