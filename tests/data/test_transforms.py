import math

import pytest
import torch

from siambench.data.transforms import augment, to_float

ALL = {"rotate": 25.0, "scale": [0.8, 1.2], "translate": 0.1, "shear": 10.0, "flip": True, "padding": "border"}


def generator(seed=0):
    """A CPU generator."""
    return torch.Generator().manual_seed(seed)


def pictures(number=6, edge=9, channels=2, seed=0):
    """Random images fp32."""
    return torch.rand(number, channels, edge, edge, generator=generator(seed))


def read_at(image, y, x, padding):
    """Bilinear reading of one channel at a real position, pixel centres at whole numbers."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            if padding == "border":
                inside = image[min(max(row, 0), image.shape[0] - 1)][min(max(column, 0), image.shape[1] - 1)]
            else:
                inside = image[row][column] if 0 <= row < image.shape[0] and 0 <= column < image.shape[1] else 0.0
            total += weight * float(inside)
    return total


def by_hand(image, *, angle, low_high_scale, shear, move, mirror, padding):
    """One square image, pixel by pixel: where each target pixel comes from, in pixels about the centre."""
    edge = image.shape[-1]
    centre = (edge - 1) / 2
    result = torch.zeros_like(image)
    for row in range(edge):
        for column in range(edge):
            x, y = mirror * (column - centre), row - centre
            # Sheared, then turned, then brought closer by the scale, then moved by a share of the edge.
            x = x + shear * y
            x, y = math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y
            x, y = x / low_high_scale + move[0] * edge, y / low_high_scale + move[1] * edge
            for channel in range(image.shape[0]):
                where = y + centre, x + centre
                if padding == "border":
                    where = min(max(where[0], 0.0), edge - 1.0), min(max(where[1], 0.0), edge - 1.0)
                result[channel, row, column] = read_at(image[channel], *where, padding)
    return result


def test_bytes_become_shares():
    """Bytes 0 … 255 become fp32 in [0, 1], exactly byte / 255."""
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)

    found = to_float(images)

    assert found.dtype == torch.float32
    assert torch.equal(torch.arange(256).float().view(1, 1, 16, 16) / 255, found)


@pytest.mark.parametrize(
    "rules",
    [{}, {"rotate": 0.0, "scale": [1.0, 1.0], "translate": 0.0, "shear": 0.0, "flip": False, "padding": "zeros"}, {"scale": (1.0, 1.0)}],
)
def test_without_rules_images_are_left_alone(rules):
    """Empty rules, or rules that move nothing, give the very images and draw nothing."""
    images, source = pictures(), generator()
    before = source.get_state()

    assert augment(images, rules, generator=source) is images
    assert torch.equal(before, source.get_state())


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize(
    "rules",
    [
        {"rotate": 40.0},
        {"scale": [0.5, 2.0]},
        {"translate": 0.3},
        {"shear": 20.0},
        {"flip": True},
        {"rotate": 25.0, "scale": [0.8, 1.2], "translate": 0.1, "shear": 10.0, "flip": True},
    ],
)
def test_images_are_moved_as_by_hand(rules, padding):
    """Each image equals the reference that moves it pixel by pixel, for each rule alone and all together."""
    images = pictures(number=4, edge=7, channels=1, seed=3)
    draws = torch.rand((4, 6), generator=generator(5)).tolist()
    expected = []
    for image, draw in zip(images, draws, strict=True):
        signed = [2 * value - 1 for value in draw]
        low, high = rules.get("scale", (1.0, 1.0))
        expected.append(
            by_hand(
                image,
                angle=signed[0] * math.radians(rules.get("rotate", 0.0)),
                shear=math.tan(signed[1] * math.radians(rules.get("shear", 0.0))),
                low_high_scale=low + draw[2] * (high - low),
                mirror=-1.0 if rules.get("flip") and draw[3] < 0.5 else 1.0,
                move=(signed[4] * rules.get("translate", 0.0), signed[5] * rules.get("translate", 0.0)),
                padding=padding,
            )
        )

    actual = augment(images, {**rules, "padding": padding}, generator=generator(5))

    assert torch.allclose(torch.stack(expected), actual, atol=2e-5)


def test_mirroring_alone_is_exact_and_happens_half_of_the_time():
    """With flip alone each image is itself or its mirror image, half of them each."""
    images = pictures(number=400, edge=5, channels=1)
    found = augment(images, {"flip": True}, generator=generator())
    same = (found - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    mirrored = (found - images.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-5

    assert bool((same ^ mirrored).all())
    # 400 draws: standard deviation 10.
    assert 150 < int(mirrored.sum()) < 250


def test_each_image_gets_its_own_draw():
    """Equal images in one batch are moved differently."""
    images = pictures(number=1).repeat(8, 1, 1, 1)
    found = augment(images, ALL, generator=generator())

    assert len(torch.unique(found.flatten(1), dim=0)) == 8


def test_an_image_does_not_depend_on_the_others():
    """Image i comes out the same whatever the other images show."""
    images = pictures(number=5)
    others = pictures(number=5, seed=9)
    others[2] = images[2]

    assert torch.equal(augment(images, ALL, generator=generator())[2], augment(others, ALL, generator=generator())[2])


def test_one_seed_gives_one_result():
    """The draws come from the generator alone: equal seeds, equal images; the global state neither matters nor moves."""
    images = pictures()
    torch.manual_seed(1)
    first = augment(images, ALL, generator=generator(4))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = augment(images, ALL, generator=generator(4))

    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, augment(images, ALL, generator=generator(5)))


def test_batches_draw_on():
    """A generator gives two batches different draws, and a rule's number of draws does not depend on the rules."""
    images, source = pictures(), generator()
    first, second = augment(images, ALL, generator=source), augment(images, ALL, generator=source)
    assert not torch.equal(first, second)

    one, other = generator(), generator()
    augment(images, {"flip": True}, generator=one)
    augment(images, ALL, generator=other)
    assert torch.equal(one.get_state(), other.get_state())


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_values_stay_in_range(padding):
    """Moved images stay within [0, 1], keep shape and type, and the input is left as it was."""
    images = pictures()
    copy = images.clone()
    found = augment(images, {**ALL, "padding": padding}, generator=generator())

    assert found.shape == images.shape
    assert found.dtype == torch.float32
    assert float(found.min()) >= 0.0
    assert float(found.max()) <= 1.0 + 1e-6
    assert torch.equal(copy, images)


def test_wide_images_are_turned_without_distortion():
    """A bar in a wide image keeps its length when it is turned: a turn is one in pixels, not in shares of the edges."""
    images = torch.zeros(64, 1, 21, 41)
    images[:, :, 10, 15:26] = 1.0  # a bar of 11 pixels, lying in the middle
    turned = augment(images, {"rotate": 90.0}, generator=generator())
    draws = (torch.rand((64, 6), generator=generator())[:, 0] * 2 - 1).abs()
    upright = turned[int(draws.argmax()), 0]

    # Nearly a quarter turn: the bar now stands, and is 11 pixels high.
    assert abs(int((upright.amax(dim=1) > 0.3).sum()) - 11) <= 1
