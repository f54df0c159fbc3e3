"""Crops of whole images on their way into batches."""

import dataclasses

import numpy as np
import pytest
import torch

from siambench.data.crops import box_of, cropped
from siambench.data.transforms import drawn
from siambench.errors import DataError, LostError, WithheldError
from siambench.spec import Method
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Items, Parts, turned, unlabelled
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut
from siambench.training.batches import Batches
from siambench.training.cropped import CroppedItems

CPU = torch.device("cpu")
RULES = {"crop": [0.2, 0.9], "crop_ratio": [0.75, 4 / 3]}
NUMBER = 64


def whole_image(index):
    """An image of its own size, no smaller than 10 × 10."""
    generator = np.random.default_rng(index)
    return generator.integers(0, 256, (1, 10 + index % 5, 10 + index % 7), dtype=np.uint8)


def middle(index):
    """What a network is shown of it to be tested."""
    image = whole_image(index)
    top, left = (image.shape[1] - 8) // 2, (image.shape[2] - 8) // 2
    return image[:, top : top + 8, left : left + 8]


def pictures():
    """A data set of images whose middle is what it reads."""
    dataset = synthetic_dataset(classes=8, images_per_class=8)
    return dataclasses.replace(dataset, read=lambda indices: np.stack([middle(int(i)) for i in indices]), whole=whole_image)


def part(dataset=None):
    """Forty of its images, in an order of their own."""
    dataset = dataset or pictures()
    indices = np.random.default_rng(2).permutation(NUMBER)[:40]
    return Items(dataset, indices, dataset.labels[indices].astype(np.int64), dataset.class_names)


@pytest.mark.parametrize("feed", ["classes", "pairs", "views"])
def test_batches_hold_crops_of_whole_images(feed):
    """Each item of each batch is torchvision's resized crop of its whole image by its own draw, of bytes; two views have two crops."""
    items, order = part(), list(torch.randint(40, (4, 6), generator=torch.Generator().manual_seed(5)))
    size = 12 if feed == "views" else 6
    draws = drawn("images", RULES, (4, size, 1, 8, 8), generator=torch.Generator().manual_seed(3), device=CPU).changes["crop"]

    batches = Batches(items, iter(order), feed=feed, augment=RULES, generator=torch.Generator().manual_seed(3), device=CPU)
    found = [batch.items for batch in batches.epoch(4)]

    for places, tries, batch in zip(order, draws, found, strict=True):
        chosen = torch.cat([places, places]) if feed == "views" else places
        for place, one, item in zip(chosen.tolist(), tries, batch, strict=True):
            image = whole_image(int(items.indices[place]))
            box = box_of(one.double().numpy(), image.shape[1:], RULES)
            assert torch.equal(item, cropped(torch.from_numpy(image), box, (8, 8)).float().div(255))
    if feed == "views":
        assert not torch.equal(found[0][:6], found[0][6:])


def test_the_way_to_a_gpu_gives_the_same_crops(monkeypatch):
    """Read ahead by a thread, as for a GPU, or as they are wanted: the same items."""
    places, draws = list(torch.arange(12).split(4)), torch.rand(3, 4, 10, 4, generator=torch.Generator().manual_seed(1))
    direct = torch.stack(list(CroppedItems(part(), RULES, CPU).batches(places, draws)))
    from siambench.training import cropped as module

    real = module.supply
    monkeypatch.setattr(module, "supply", lambda read, size, form, device, way: real(read, size, form, device, way="streamed"))

    assert torch.equal(direct, torch.stack(list(CroppedItems(part(), RULES, CPU).batches(places, draws))))


def test_a_data_set_that_cuts_nothing_is_cropped_as_it_is_read():
    """Without whole images crops are of the items themselves."""
    items = part(dataclasses.replace(pictures(), whole=None))
    tries = torch.rand(1, 1, 10, 4, generator=torch.Generator().manual_seed(1))

    found = next(CroppedItems(items, RULES, CPU).batches([torch.tensor([3])], tries))

    image = middle(int(items.indices[3]))
    box = box_of(tries[0, 0].double().numpy(), (8, 8), RULES)
    assert torch.equal(found[0], cropped(torch.from_numpy(image), box, (8, 8)).float() / 255)


def test_whole_images_of_the_test_are_withheld_from_a_tune_unit():
    """What a tune unit is given leads to no whole image of the test part, and to those of its own fold."""
    dataset = pictures()
    parts = Parts(dataset, cut(dataset, SplitRules().spec), kind="tune", fold=0, opened=lambda: None)
    items = parts.training()

    assert np.array_equal(items.read_whole(2), whole_image(int(items.indices[2])))
    with pytest.raises(WithheldError, match="test item"):
        items.dataset.whole(63)
    assert np.array_equal(unlabelled(items).read_whole(2), items.read_whole(2))


def test_turned_classes_have_turned_wholes():
    """The whole image of a turned class is turned as its items are."""
    items = part()
    four = turned(items)
    for quarter in range(4):
        position = quarter * 40 + 7
        assert np.array_equal(four.read_whole(position), np.rot90(items.read_whole(7), quarter, axes=(1, 2)))


@pytest.mark.parametrize("error", [OSError("gone"), DataError("bad")])
def test_a_whole_image_that_cannot_be_read_loses_the_unit(error):
    """A file that is gone is the environment's doing."""

    def broken(_):
        raise error

    with pytest.raises(LostError, match="the images cannot be read"):
        part(dataclasses.replace(pictures(), whole=broken)).read_whole(0)


def test_a_unit_trains_on_crops_and_is_the_same_twice(exam_of):
    """A unit whose track asks for crops trains, gives the same curve again, and another one than without crops."""
    made = {}
    for name, augment in (("plain", {"flip": True}), ("crops", {"flip": True, **RULES})):
        curves = [tuple(exam_of(Method("contrastive"), augment=augment).run().curve) for _ in range(2)]
        assert curves[0] == curves[1]
        made[name] = curves[0]
    assert made["plain"] != made["crops"]


def test_a_catalogue_of_whole_images_is_checked(monkeypatch):
    """A whole image of another dtype, or with other channels, is named in one sentence before anything trains."""
    from siambench.data.checked import checked

    for wrong, told in [
        (lambda i: whole_image(i).astype(np.float32), r"whole image float32 \(1, 10, 10\), expected uint8 \[1, h, w\]"),
        (lambda i: np.repeat(whole_image(i), 3, axis=0), r"whole image uint8 \(3, 10, 10\), expected uint8 \[1, h, w\]"),
        (lambda _: "a file", "numpy array"),
    ]:
        with pytest.raises(DataError, match=told):
            checked(dataclasses.replace(pictures(), whole=wrong), "birds")
    arrays = dataclasses.replace(synthetic_dataset(form="arrays"), whole=whole_image)
    with pytest.raises(DataError, match="gives arrays, and whole is for images"):
        checked(arrays, "series")
    assert np.array_equal(checked(pictures(), "birds").whole(3), whole_image(3))
