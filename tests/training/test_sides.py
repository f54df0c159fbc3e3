"""Two encoders: what they are built from, how they are trained, and what is measured of them."""

from __future__ import annotations

import copy
import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from siambench.components.catalogue import Catalogue
from siambench.data.sides import joined, parted
from siambench.errors import DataError, UsageError, WithheldError
from siambench.plugin import BackboneEntry
from siambench.spec import Method
from siambench.testing import synthetic_catalogue, synthetic_dataset
from siambench.tracks.parts import Parts
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut
from siambench.training.model import build_model
from siambench.training.sides import OfEachSide, TwoEncoders, beside, one_after_the_other
from siambench.training.watch import Watcher

BACKBONES = "mlp|gated-bag"
SIDES = {"classes": 20, "images_per_class": 2}


@pytest.fixture(scope="module")
def catalogue():
    """All that ships, and a made-up data set of two sides."""
    return synthetic_catalogue(form="sides", **SIDES)


@pytest.fixture
def sided(exam_of, catalogue):
    """An exam on items of two sides."""

    def make(loss="clip", backbone=BACKBONES, options=None, **more):
        model = {"backbone": backbone, "options": options or {}}
        return exam_of(Method(loss), catalogue=catalogue, model=model, **more)

    return make


def test_each_side_has_an_encoder_of_its_own(sided):
    """The embeddings beside each other are those of the first encoder of pictures and of the second of words, whatever is beside them."""
    exam = sided()
    model = exam.untrained().eval()
    items = torch.from_numpy(exam.items.read(np.arange(6)))
    pictures, words = parted(items, exam.items.dataset.sides)
    with torch.no_grad():
        found = model(items)
        first, second = (encoder.eval() for encoder in model.each)
        assert torch.equal(found, torch.cat([first(pictures), second(words)], dim=1))
        moved = model(joined([pictures, words.flip(0)]))

    assert isinstance(model, TwoEncoders)
    assert found.shape == (6, 2 * 8)
    assert torch.equal(found[:, :8], moved[:, :8])
    assert torch.equal(one_after_the_other(found), torch.cat([found[:, :8], found[:, 8:]]))
    assert torch.equal(beside(one_after_the_other(found)), found)


def test_the_first_side_begins_as_a_single_encoder_does(sided):
    """Its weights are those that the same backbone alone is drawn from the same seed: what is added on the second side changes nothing."""
    exam = sided(backbone="mlp|bag", options={"first.width": 12, "first.layers": 1})
    model = exam.untrained()
    alone = dataclasses.replace(exam.unit.model, backbone="mlp", options={"width": 12, "layers": 1, "dropout": 0.0})
    side = exam.items.dataset.sides[0]
    pictures = dataclasses.replace(exam.items.dataset, form="images", shape=side.shape, read=side.read, sides=())
    entry = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).get("backbones", "mlp").entry
    single = build_model(dataclasses.replace(exam.unit, model=alone), entry, pictures)

    assert [12] == sorted({p.shape[0] for name, p in model.each[0].trunk.named_parameters() if p.ndim == 2})
    for one, other in zip(model.each[0].parameters(), single.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_moves_both_encoders_and_two_runs_agree(sided, bits):
    """All weights of both move but a bias before BatchNorm, the loss sinks, and two runs are equal to the last bit."""
    training = {"epochs": 4, "steps_per_epoch": 12, "batch_size": 12}
    augment = {"rotate": 10.0, "drop": 0.2}
    exams = [sided(training=training, augment=augment) for _ in range(2)]
    before = bits(exams[0].untrained())
    runs = [exam.run() for exam in exams]
    first, second = (bits(run.model) for run in runs)

    assert first == second
    still = {name for name in before if before[name] == first[name]}
    assert all(name.endswith("bias") for name in still)
    assert {name.split(".")[1] for name in before if name not in still} == {"0", "1"}
    assert runs[0].curve[-1].loss < 0.7 * runs[0].curve[0].loss


@pytest.mark.parametrize(
    "loss",
    [
        "across(triplet)",
        "across(sigmoid)",
        "matryoshka(across(ntxent))",
        "sum(clip,0.5*across(contrastive))",
        "across(sum(triplet,ntxent))",
    ],
)
def test_losses_made_of_others_are_trained_on_both_sides(sided, loss):
    """Whatever a loss of both sides is made of, some steps bring it down."""
    curve = sided(loss, training={"epochs": 3, "steps_per_epoch": 12, "batch_size": 12}).run().curve

    assert curve[-1].loss < 0.95 * curve[0].loss


def test_chunks_give_the_gradient_of_the_whole_batch(sided):
    """`gradcache` around a loss of both sides steps as the loss itself does, but for rounding, however the batch is cut."""
    training = {"epochs": 1, "steps_per_epoch": 3, "batch_size": 10, "optimiser": "sgd", "schedule": "constant"}
    models = []
    for loss, params in (("clip", {}), ("gradcache(clip)", {"loss__chunk": 4})):
        exam = _without_norm(sided(loss, training=training)).params(optimiser__lr=0.1, **params)
        models.append(exam.run().model)

    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def _without_norm(exam):
    """The same exam with encoders without BatchNorm, whose statistics would be those of a chunk."""

    class Words(nn.Module):
        def __init__(self, vocabulary):
            super().__init__()
            self.table = nn.EmbeddingBag(vocabulary, 6)

        def forward(self, tokens):
            return self.table(tokens)

    class Pictures(nn.Module):
        def __init__(self, input_shape):
            super().__init__()
            self.linear = nn.Linear(int(np.prod(input_shape)), 6)

        def forward(self, images):
            return self.linear(images.flatten(1)).tanh()

    sides = (
        BackboneEntry(Pictures, source="made up"),
        BackboneEntry(Words, takes=("tokens",), source="made up"),
    )
    exam.entries = dataclasses.replace(exam.entries, backbone=dataclasses.replace(exam.entries.backbone, sides=sides))
    return exam


def test_what_is_measured_is_told_of_each_side(sided):
    """Parts of both encoders and the gradient of each side are in every row; nothing that is measured changes the weights."""
    exam, other = sided(), sided()
    watcher = Watcher(every=1)
    measured, plain = exam.run(watcher=watcher), other.run()

    assert watcher.kept.error is None
    assert set(watcher.rows[-1].parts) == {"first.trunk", "first.head", "second.trunk", "second.head", "loss"}
    assert len(watcher.rows[-1].branches) == 2
    assert all(length > 0 for length in watcher.rows[-1].branches)
    assert watcher.rows[0].input_auc is None
    assert watcher.rows[-1].positive is not None
    for one, two in zip(measured.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_frozen_trunk_is_frozen_on_both_sides(sided):
    """Under a recipe without a trained stage both trunks, running statistics included, stay as they were, and both heads move."""
    exam = sided(training={"trained_stages": 0, "epochs": 2})
    before = copy.deepcopy(exam.untrained().state_dict())
    after = exam.run().model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}

    assert {name.split(".", 2)[2].partition(".")[0] for name in moved} == {"head"}
    assert {name.split(".")[1] for name in moved} == {"0", "1"}


def test_a_projector_stands_behind_each_side():
    """It is one module, called on the first sides and the second together, and gives both beside each other."""
    linear = nn.Linear(3, 5)
    embeddings = torch.randn(4, 6)
    found = OfEachSide(linear)(embeddings)

    assert torch.allclose(found, torch.cat([linear(embeddings[:, :3]), linear(embeddings[:, 3:])], dim=1), atol=1e-6)


def test_tune_units_can_read_no_side_of_a_test_item(catalogue, sided):
    """The sides of the data set that a tune unit is given refuse items of the test part, as the whole does."""
    exam = sided()
    dataset = catalogue.dataset("synthetic", {})
    split = cut(dataset, exam.unit.data.split)
    parts = Parts(dataset, split, kind="tune", fold=0, opened=lambda: None)
    seen = parts.training().dataset
    for read in (seen.read, *(side.read for side in seen.sides)):
        read(split.trainval[:2])
        with pytest.raises(WithheldError):
            read(split.test[:1])


def test_a_class_of_one_item_is_enough(catalogue):
    """Each side is the other's positive: a split of classes with a single item each holds, which of items of one side is refused."""
    rules = SplitRules(rule="class-halves", folds=2).spec
    assert len(cut(synthetic_dataset(form="sides", classes=20, images_per_class=1), rules).test) == 10
    with pytest.raises(DataError, match="no class"):
        cut(synthetic_dataset(classes=20, images_per_class=1), rules)


@pytest.mark.parametrize("name", ["mlp|", "|bag", "mlp|bag|bag", " | "])
def test_two_backbones_are_two(catalogue, name):
    """What does not name two is refused in one sentence; names may stand apart from the bar."""
    with pytest.raises(UsageError, match=r"items of two sides take one backbone each, such as 'conv4\|bag'"):
        catalogue.get("backbones", name)
    assert catalogue.get("backbones", " mlp | bag ").name == "mlp|bag"


def test_two_backbones_know_each_others_code(catalogue):
    """Their own digest follows their order; the code of each is a component with a role of its own."""
    one, other = catalogue.get("backbones", "mlp|mlp"), catalogue.get("backbones", "mlp|bag")

    assert one.source.digest != other.source.digest
    assert {role: part.name for role, part in other.roles.items()} == {"backbone:first": "mlp", "backbone:second": "bag"}
    assert set(other.entry.defaults) >= {"first.width", "first.layers"}
    assert not any(name.split(".")[0] not in ("first", "second") for name in itertools.chain(one.entry.defaults, other.entry.scratch))


def test_an_unknown_backbone_among_two_is_named(catalogue):
    """The one of the two that there is not is what the sentence is about."""
    with pytest.raises(UsageError, match="bagg"):
        catalogue.get("backbones", "mlp|bagg")


def test_training_twice_leaves_the_data_alone(sided):
    """A model holds no reader of items: copying it copies no data, and asked to read it says so."""
    model = sided().untrained()
    with pytest.raises(TypeError, match="a model reads no items"):
        copy.deepcopy(model)._sides[0].read(np.arange(1))
