"""Crops beside torchvision's own."""

import math

import numpy as np
import pytest
import torch
import torchvision.transforms.v2 as reference
from torchvision.transforms.v2 import functional

from siambench.data.crops import DRAWN, box_of, crop_batch, cropped
from siambench.data.transforms import augmented, changed, drawn

RULES = {"crop": [0.16, 1.0], "crop_ratio": [3 / 4, 4 / 3]}


def shares(seed=0, number=1):
    """Draws of some items."""
    return torch.rand((number, *DRAWN), generator=torch.Generator().manual_seed(seed))


class Fed:
    """Stands in for torch inside torchvision's transform: what it would draw are numbers given to it."""

    def __init__(self, tries):
        self.tries, self.place, self.given = tries.double(), 0, 0

    def __getattr__(self, name):
        return getattr(torch, name)

    def empty(self, *_):
        """Itself, to be filled."""
        return self

    def uniform_(self, low, high):
        """The area, then the ratio of a try."""
        column, self.given = self.given % 2, self.given + 1
        self.place = (self.given - 1) // 2
        return torch.tensor([float(low) + float(self.tries[self.place, column]) * (float(high) - float(low))], dtype=torch.float64)

    def randint(self, low, high, size):
        """How far down, then how far across."""
        self.down = not getattr(self, "down", False)
        return torch.tensor([low + int(float(self.tries[self.place, 2 if self.down else 3]) * (high - low))])


def by_torchvision(tries, edges, rules, monkeypatch):
    """The box that torchvision's transform makes of the same draws."""
    transform = reference.RandomResizedCrop(8, scale=tuple(rules["crop"]), ratio=tuple(rules["crop_ratio"]))
    transform._log_ratio = torch.log(torch.tensor(rules["crop_ratio"], dtype=torch.float64))
    with monkeypatch.context() as patch:
        patch.setattr(f"{type(transform).__module__}.torch", Fed(tries))
        found = transform.make_params([torch.zeros(3, *edges)])
    return found["top"], found["left"], found["height"], found["width"]


@pytest.mark.parametrize("edges", [(256, 341), (300, 256), (256, 256), (17, 90), (3, 2)])
@pytest.mark.parametrize("rules", [RULES, {"crop": [0.05, 0.4], "crop_ratio": [0.5, 0.6]}, {"crop": [1.0, 1.0], "crop_ratio": [1.0, 1.0]}])
def test_boxes_are_those_of_torchvision_on_the_same_draws(edges, rules, monkeypatch):
    """Of fifty items each, wide, high, square and tiny, every box is the one that RandomResizedCrop makes of the same numbers."""
    for seed in range(50):
        tries = shares(seed)[0]
        assert box_of(tries.double().numpy(), edges, rules) == by_torchvision(tries, edges, rules, monkeypatch)


def test_where_no_try_fits_the_middle_is_taken(monkeypatch):
    """A crop of the whole area in another shape than the image's fits never: of a wide image the middle is taken, as torchvision does."""
    rules = {"crop": [1.0, 1.0], "crop_ratio": [1.0, 1.2]}
    tries = shares()[0]

    assert box_of(tries.double().numpy(), (100, 300), rules) == (0, 90, 100, 120)
    assert box_of(tries.double().numpy(), (300, 100), rules) == (100, 0, 100, 100)
    for edges in [(100, 300), (300, 100)]:
        assert box_of(tries.double().numpy(), edges, rules) == by_torchvision(tries, edges, rules, monkeypatch)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pixels_are_those_of_torchvisions_transform(dtype):
    """What is cut out and brought to size equals RandomResizedCrop's own result for the same box, bit for bit, in bytes and in fp32."""
    image = torch.randint(0, 256, (3, 40, 55), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    image = image if dtype == torch.uint8 else image.to(dtype) / 255
    transform = reference.RandomResizedCrop((24, 20))
    for seed in range(10):
        box = box_of(shares(seed)[0].double().numpy(), (40, 55), RULES)
        params = dict(zip(("top", "left", "height", "width"), box, strict=True))

        found = cropped(image, box, (24, 20))

        assert found.dtype == dtype
        assert torch.equal(found, transform.transform(image, params))


def test_areas_ratios_and_places_fill_their_ranges():
    """Over 2,000 items the area's mean is that of its range, the ratio's logarithm lies even about 0, and boxes reach each border."""
    rules = {"crop": [0.1, 0.3], "crop_ratio": [0.5, 2.0]}
    boxes = np.array([box_of(one.double().numpy(), (1000, 1000), rules) for one in shares(1, 2000)])
    top, left, height, width = boxes.T
    area = height * width / 1e6
    assert area.mean() == pytest.approx(0.2, abs=0.005)
    assert area.min() == pytest.approx(0.1, abs=0.002)
    assert area.max() == pytest.approx(0.3, abs=0.002)
    ratios = np.log(width / height)
    assert ratios.mean() == pytest.approx(0, abs=0.03)
    assert (ratios.min(), ratios.max()) == (pytest.approx(-math.log(2), abs=0.01), pytest.approx(math.log(2), abs=0.01))
    assert (top >= 0).all()
    assert (left + width <= 1000).all()
    assert top.min() == 0 or top.min() < 5
    assert (left + width).max() > 990


def test_an_augmentation_of_crops_and_mirrors_is_torchvisions_on_the_same_draws():
    """A batch with crop and flip gives, image by image, torchvision's resized crop of the drawn box, mirrored where that was drawn."""
    images = torch.rand((8, 3, 20, 30), generator=torch.Generator().manual_seed(1))
    rules = {**RULES, "flip": True}

    found = augmented(images, "images", rules, generator=torch.Generator().manual_seed(5))

    draws = drawn("images", rules, (1, *images.shape), generator=torch.Generator().manual_seed(5), device=torch.device("cpu")).of(0)
    assert 0 < int(draws["mirror"].sum()) < 8
    for image, result, tries, is_mirrored in zip(images, found, draws["crop"], draws["mirror"], strict=True):
        box = box_of(tries.double().numpy(), (20, 30), rules)
        expected = functional.resized_crop(image, *box, size=[20, 30])
        assert torch.equal(result, functional.horizontal_flip(expected) if is_mirrored else expected)


def test_crops_come_before_maps():
    """With rotation too, the result is the map of the crop: what a batch of crops would be given."""
    images = torch.rand((4, 1, 16, 16), generator=torch.Generator().manual_seed(2))
    rules = {**RULES, "rotate": 20.0, "flip": True}
    draws = drawn("images", rules, (1, *images.shape), generator=torch.Generator().manual_seed(5), device=torch.device("cpu")).of(0)
    whole = changed(images, "images", rules, draws)

    after = crop_batch(images, draws["crop"], rules)
    assert torch.equal(whole, changed(after, "images", rules, {name: value for name, value in draws.items() if name != "crop"}))
    assert not torch.equal(whole, after)


def test_rules_without_crops_draw_what_they_drew():
    """What is drawn for maps alone is the same numbers whether the words for crops exist or not: nothing else is drawn before them."""
    rules = {"rotate": 10.0, "flip": True}
    shape, device = (2, 3, 1, 8, 8), torch.device("cpu")
    one = drawn("images", rules, shape, generator=torch.Generator().manual_seed(0), device=device)
    other = drawn("images", {**rules, "crop": None}, shape, generator=torch.Generator().manual_seed(0), device=device)
    assert set(one.changes) == {"theta"}
    assert torch.equal(one.changes["theta"], other.changes["theta"])
