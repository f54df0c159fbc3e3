"""Changes of colour beside torchvision's own."""

import pytest
import torch
import torchvision.transforms.v2 as reference
from torchvision.transforms.v2 import functional

from siambench.builtin.augmentations import siambench_augmentations
from siambench.builtin.colours import ColourJitter, GaussianBlur, Greyscale, jittered
from siambench.errors import ConfigError


def images(number=6, channels=3, seed=0):
    """Random images fp32, not square."""
    return torch.rand((number, channels, 14, 18), generator=torch.Generator().manual_seed(seed))


def generator(seed=1):
    """A CPU generator."""
    return torch.Generator().manual_seed(seed)


def test_colours_are_those_of_torchvisions_transform():
    """For the same factors in the same order an image becomes what ColorJitter makes of it, bit for bit."""
    transform = reference.ColorJitter(0.4, 0.4, 0.4, 0.1)
    for place, image in enumerate(images()):
        torch.manual_seed(place)
        params = transform.make_params([image])
        factors = [params[name] for name in ("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")]

        found = jittered(image, [float(factor) for factor in factors], params["fn_idx"].tolist())

        assert torch.equal(found, transform.transform(image, params))
        assert not torch.equal(found, image)


def test_factors_and_orders_are_drawn_for_each_image_from_the_generator():
    """Each image of a batch is jittered by the numbers drawn for it: what a loop over the same draws gives, in its order."""
    given = images()
    found = ColourJitter(0.5, 0.4, 0.3, 0.2, 1.0)(given, generator())

    draws = generator()
    shares = torch.rand((6, 5), generator=draws)
    orders = torch.rand((6, 4), generator=draws).argsort(dim=1)
    assert len({tuple(order) for order in orders.tolist()}) > 1
    for image, result, (_, b, c, s, h), order in zip(given, found, shares.tolist(), orders.tolist(), strict=True):
        factors = [0.5 + b * 1.0, 0.6 + c * 0.8, 0.7 + s * 0.6, -0.2 + h * 0.4]
        assert torch.allclose(result, jittered(image, factors, order), atol=1e-6)


def test_what_is_zero_is_left_as_it_is():
    """Without any spread, or of no image, nothing changes; with brightness alone hues stay."""
    given = images()
    assert torch.equal(ColourJitter(0.0, 0.0, 0.0, 0.0, 1.0)(given, generator()), given)
    assert torch.equal(ColourJitter(0.4, 0.4, 0.4, 0.1, 0.0)(given, generator()), given)
    dimmed = ColourJitter(0.4, 0.0, 0.0, 0.0, 1.0)(given * 0.5, generator())
    assert torch.allclose(dimmed / dimmed.sum(1, keepdim=True), given / given.sum(1, keepdim=True), atol=1e-5)


def test_grey_images_keep_their_hue():
    """Images of one channel get another brightness, and no colour."""
    given = images(channels=1)
    assert torch.equal(ColourJitter(0.0, 0.0, 0.5, 0.3, 1.0)(given, generator()), given)
    assert not torch.equal(ColourJitter(0.5, 0.0, 0.0, 0.0, 1.0)(given, generator()), given)
    assert torch.equal(Greyscale(1.0)(given, generator()), given)


@pytest.mark.parametrize("channels", [1, 3])
def test_blurs_are_those_of_torchvision(channels):
    """Each image drawn is torchvision's Gaussian blur of its own width, the others are as they were; about the share that was asked."""
    given = images(40, channels)
    found = GaussianBlur(5, 0.3, 2.0, 0.5)(given, generator())

    drawn = torch.rand((40, 2), generator=generator())
    for image, result, (chosen, share) in zip(given, found, drawn.tolist(), strict=True):
        sigma = 0.3 + share * 1.7
        expected = functional.gaussian_blur(image, [5, 5], [sigma, sigma]).clamp(0, 1) if chosen < 0.5 else image
        assert torch.allclose(result, expected, atol=1e-6)
    assert 8 < int((found != given).flatten(1).any(1).sum()) < 32


def test_greys_are_those_of_torchvision():
    """The images drawn are torchvision's greys with three channels, the others are as they were."""
    given = images(40)
    found = Greyscale(0.5)(given, generator())

    chosen = torch.rand(40, generator=generator()) < 0.5
    assert torch.equal(found[chosen], functional.rgb_to_grayscale(given, num_output_channels=3)[chosen])
    assert torch.equal(found[~chosen], given[~chosen])


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("colour-jitter", {"brightness": -0.1}, "augment.colour-jitter.brightness must lie in 0 … 100, got -0.1"),
        ("colour-jitter", {"hue": 0.6}, "augment.colour-jitter.hue must lie in 0 … 0.5, got 0.6"),
        ("colour-jitter", {"share": 1.5}, "augment.colour-jitter.share must lie in 0 … 1, got 1.5"),
        ("gaussian-blur", {"kernel": 4}, "augment.gaussian-blur.kernel must be an odd number of pixels, got 4"),
        ("gaussian-blur", {"low": 2.0, "high": 1.0}, "low and high must be 0 < low <= high <= 1000 pixels, got 2.0 and 1.0"),
        ("greyscale", {"share": -1.0}, "augment.greyscale.share must lie in 0 … 1, got -1.0"),
    ],
)
def test_options_that_cannot_be_are_refused(name, options, told):
    """Each option has a range, and what lies outside is named with it."""
    entry = siambench_augmentations()[name]
    with pytest.raises(ConfigError, match=told):
        entry.build(**{**entry.defaults, **options})


def test_a_kernel_larger_than_an_image_is_refused():
    """A blur reaches no further than the image: the sentence says both."""
    with pytest.raises(ConfigError, match=r"gaussian-blur\.kernel = 29 is too large for an edge of 14 pixels"):
        GaussianBlur(29, 0.1, 2.0, 1.0)(images(), generator())
