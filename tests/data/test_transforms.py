import math

import numpy as np
import pytest
import torch

from siambench.data.transforms import augment, augment_arrays, augment_tokens, augmented, changed, drawn, prepared, to_float

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


@pytest.mark.parametrize("shape", [(3, 1, 5, 9), (2, 3, 24, 24), (1, 1, 1, 7)])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_images_are_moved_as_torch_does_with_the_same_maps(shape, padding):
    """The places that pixels come from are those of torch's own `affine_grid`, also where images are not square."""
    images = torch.rand(shape, generator=generator(1))
    theta = drawn("images", ALL, (1, *shape), generator=generator(2), device=torch.device("cpu")).of(0)["theta"]
    grid = torch.nn.functional.affine_grid(theta, list(shape), align_corners=False)
    expected = torch.nn.functional.grid_sample(images, grid, padding_mode=padding, align_corners=False)

    assert torch.allclose(expected, changed(images, "images", {**ALL, "padding": padding}, {"theta": theta}), atol=2e-5)


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


# ---- arrays


WARPED = {"jitter": 0.1, "scaling": [0.5, 2.0], "time_warp": 0.6}


def series(number=6, channels=2, length=9, seed=0):
    """Random arrays fp32."""
    return torch.randn(number, channels, length, generator=generator(seed))


@pytest.mark.parametrize("rules", [{}, {"jitter": 0.0, "scaling": [1.0, 1.0], "time_warp": 0.0}, {"scaling": (1.0, 1.0)}])
def test_without_rules_arrays_are_left_alone(rules):
    """Empty rules, or rules that change nothing, give the very arrays and draw nothing."""
    arrays, source = series(), generator()
    before = source.get_state()

    assert augment_arrays(arrays, rules, generator=source) is arrays
    assert torch.equal(before, source.get_state())


@pytest.mark.parametrize("rule", sorted(WARPED))
def test_one_seed_gives_one_series(rule):
    """Each rule draws from the generator alone: equal seeds, equal arrays; the global state neither matters nor moves."""
    arrays, rules = series(), {rule: WARPED[rule]}
    torch.manual_seed(1)
    first = augment_arrays(arrays, rules, generator=generator(4))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = augment_arrays(arrays, rules, generator=generator(4))

    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, arrays)
    assert not torch.equal(first, augment_arrays(arrays, rules, generator=generator(5)))


def test_jitter_is_gaussian_noise_of_that_deviation():
    """What is added to each number is drawn independently, with mean 0 and the deviation that the rule says."""
    noise = augment_arrays(torch.full((50, 4, 50), 7.0), {"jitter": 0.2}, generator=generator()) - 7.0

    # 10,000 draws: standard error 0.002 of the mean, 0.0014 of the deviation.
    assert abs(float(noise.mean())) < 0.01
    assert float(noise.std()) == pytest.approx(0.2, abs=0.007)
    assert len(noise.unique()) > 9000
    assert abs(float(np.corrcoef(noise[:, 0, 0], noise[:, 0, 1])[0, 1])) < 0.5


def test_scaling_is_one_factor_per_item():
    """All numbers of an item are multiplied by one factor, drawn evenly within the bounds; each item has its own."""
    arrays = series(number=500) + 5
    factors = (augment_arrays(arrays, {"scaling": [0.5, 2.0]}, generator=generator()) / arrays).flatten(1)

    assert torch.allclose(factors, factors[:, :1].expand_as(factors), atol=1e-5)
    assert len(factors[:, 0].unique()) == 500
    assert float(factors.min()) >= 0.5 - 1e-6
    assert float(factors.max()) <= 2.0 + 1e-6
    # Evenly in [0.5, 2]: mean 1.25, standard error 0.02.
    assert float(factors[:, 0].mean()) == pytest.approx(1.25, abs=0.08)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_warped_series_is_read_at_another_pace(share):
    """Each item is read along its last axis at t + s · sin 2πt / 2π, with a share s of its own drawn within ± the rule's."""
    arrays, draws = series(number=5, length=12), torch.rand(5, generator=generator(3)).tolist()
    time = np.linspace(0, 1, 12)
    expected = np.empty((5, 2, 12))
    for item, draw in enumerate(draws):
        at = time + (2 * draw - 1) * share * np.sin(2 * np.pi * time) / (2 * np.pi)
        for channel in range(2):
            expected[item, channel] = np.interp(at, time, arrays[item, channel].double().numpy())

    found = augment_arrays(arrays, {"time_warp": share}, generator=generator(3))

    assert found.double().numpy() == pytest.approx(expected, abs=1e-5)


def test_the_ends_of_a_warped_series_stay():
    """First and last moment are those of the series, however strongly its pace changes."""
    arrays = series(number=64, length=30)
    found = augment_arrays(arrays, {"time_warp": 0.99}, generator=generator())

    assert torch.allclose(arrays[..., 0], found[..., 0], atol=1e-5)
    assert torch.allclose(arrays[..., -1], found[..., -1], atol=1e-5)
    assert not torch.allclose(arrays, found, atol=0.1)


def test_a_warped_series_runs_forwards():
    """A series that rises still rises after any warp: its moments keep their order."""
    rising = torch.linspace(0, 1, 40).expand(64, 1, 40)
    found = augment_arrays(rising, {"time_warp": 0.99}, generator=generator())

    assert bool((found.diff(dim=-1) > -1e-6).all())


def test_all_channels_are_warped_alike():
    """What stands at one moment stays together: each item has one pace for all its channels, and each item its own."""
    one = series(number=1, channels=1).expand(8, 3, 9)
    found = augment_arrays(one, {"time_warp": 0.6}, generator=generator())

    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found[:, 0], found[:, 2])
    assert len(torch.unique(found[:, 0], dim=0)) == 8


@pytest.mark.parametrize("shape", [(4, 1), (4, 7), (4, 2, 1), (4, 2, 3, 5)])
def test_arrays_of_any_shape_are_changed(shape):
    """Vectors, series and maps keep shape and type, and what was given is left as it was; of one moment there is no pace."""
    arrays = torch.randn(shape, generator=generator())
    copy = arrays.clone()
    found = augment_arrays(arrays, WARPED, generator=generator())

    assert (found.shape, found.dtype) == (arrays.shape, torch.float32)
    assert not torch.equal(arrays, found)
    assert torch.equal(copy, arrays)
    if shape[-1] == 1:
        assert torch.equal(arrays, augment_arrays(arrays, {"time_warp": 0.6}, generator=generator()))


def test_an_array_does_not_depend_on_the_others():
    """Array i comes out the same whatever the other arrays hold."""
    arrays, others = series(number=5), series(number=5, seed=9)
    others[2] = arrays[2]
    first, second = (augment_arrays(each, WARPED, generator=generator()) for each in (arrays, others))

    assert torch.equal(first[2], second[2])


# ---- tokens


def texts(number=40, length=9, seed=0):
    """Tokens of texts of 1 to ``length`` words, no word twice in a text; padded at the end."""
    order = torch.rand(number, length, generator=generator(seed)).argsort(dim=1) + 1
    return order * (torch.arange(length) < 1 + torch.arange(number)[:, None] % length)


def padded_at_the_end(tokens):
    """Whether no padding stands before a token."""
    return bool(((tokens[:, :-1] != 0) | (tokens[:, 1:] == 0)).all())


@pytest.mark.parametrize("rules", [{}, {"drop": 0.0, "swap": 0.0}])
def test_without_rules_tokens_are_left_alone(rules):
    """Empty rules, or rules that change nothing, give the very tokens and draw nothing."""
    tokens, source = texts(), generator()
    before = source.get_state()

    assert augment_tokens(tokens, rules, generator=source) is tokens
    assert torch.equal(before, source.get_state())


@pytest.mark.parametrize("rules", [{"drop": 0.4}, {"swap": 0.4}, {"drop": 0.3, "swap": 0.5}], ids=str)
def test_one_seed_gives_one_text(rules):
    """Each rule draws from the generator alone: equal seeds, equal tokens; the global state neither matters nor moves."""
    tokens = texts()
    copy = tokens.clone()
    torch.manual_seed(1)
    first = augment_tokens(tokens, rules, generator=generator(4))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = augment_tokens(tokens, rules, generator=generator(4))

    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, tokens)
    assert not torch.equal(first, augment_tokens(tokens, rules, generator=generator(5)))
    assert torch.equal(copy, tokens)
    assert (first.dtype, first.shape) == (torch.int64, tokens.shape)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_dropping_keeps_a_token_and_leaves_no_gap(share):
    """What is left of a text is some of its tokens, at least one, in their order, and the padding behind them."""
    tokens = texts(number=400)
    found = augment_tokens(tokens, {"drop": share}, generator=generator())

    assert padded_at_the_end(found)
    for before, after in zip(tokens.tolist(), found.tolist(), strict=True):
        kept = [token for token in after if token]
        assert 1 <= len(kept) <= sum(token != 0 for token in before)
        rest = iter(before)
        assert all(token in rest for token in kept)


def test_tokens_are_dropped_as_often_as_the_rule_says():
    """The share of tokens left out is that of the rule, the same at every place."""
    tokens = torch.arange(1, 21).expand(2000, 20)
    found = augment_tokens(tokens, {"drop": 0.3}, generator=generator())
    kept = torch.stack([(found == token).any(dim=1).double().mean() for token in range(1, 21)])

    # 2,000 draws: standard deviation 0.01.
    assert kept.tolist() == pytest.approx([0.7] * 20, abs=0.05)


def test_the_last_token_of_a_text_is_any_of_them():
    """Where all would be left out, each token is the one that stays about equally often."""
    found = augment_tokens(torch.arange(1, 5).expand(2000, 4), {"drop": 0.9999}, generator=generator())

    assert bool((found[:, 1:] == 0).all())
    # 2,000 draws of four: 500 each, standard deviation 19.
    assert all(400 < count < 600 for count in found[:, 0].bincount()[1:].tolist())


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_swapping_keeps_the_tokens_of_a_text(share):
    """A swapped text has the very tokens it had, each as often, with its padding at the end; none has moved more than two places."""
    tokens = texts(number=400)
    found = augment_tokens(tokens, {"swap": share}, generator=generator())

    assert padded_at_the_end(found)
    assert not torch.equal(tokens, found)
    assert torch.equal(tokens.sort(dim=1).values, found.sort(dim=1).values)
    for before, after in zip(tokens.tolist(), found.tolist(), strict=True):
        assert all(abs(before.index(token) - after.index(token)) <= 2 for token in before if token)


def test_swaps_happen_at_every_place():
    """Without any other change, a small share of swaps exchanges two neighbours, and each pair of neighbours about equally often."""
    tokens = torch.arange(1, 10).expand(4000, 9)
    found = augment_tokens(tokens, {"swap": 0.02}, generator=generator())
    moved = found != tokens
    once = found[moved.sum(dim=1) == 2]
    first = (once != tokens[: len(once)]).int().argmax(dim=1)

    # Eight pairs of neighbours in 4,000 texts: about 70 lone swaps each, standard deviation 8.
    assert all(35 < count < 110 for count in first.bincount(minlength=8).tolist())


@pytest.mark.parametrize("rules", [{"drop": 0.9}, {"swap": 1.0}, {"drop": 0.5, "swap": 0.5}], ids=str)
def test_short_and_empty_texts_are_what_they_were(rules):
    """A text of one token, and one without any, come out as they are."""
    tokens = torch.tensor([[5, 0, 0], [0, 0, 0]])

    assert torch.equal(tokens, augment_tokens(tokens, rules, generator=generator()))
    assert torch.equal(tokens[:, :1], augment_tokens(tokens[:, :1], rules, generator=generator()))


def test_a_text_does_not_depend_on_the_others():
    """Text i comes out the same whatever the other texts hold."""
    tokens, others = texts(number=5), texts(number=5, seed=9)
    others[4] = tokens[4]
    first, second = (augment_tokens(each, {"drop": 0.3, "swap": 0.5}, generator=generator()) for each in (tokens, others))

    assert torch.equal(first[4], second[4])


# ---- forms


@pytest.mark.parametrize(
    ("form", "items", "rules", "change"),
    [
        ("images", pictures(), ALL, augment),
        ("arrays", series(), WARPED, augment_arrays),
        ("tokens", texts(), {"drop": 0.3, "swap": 0.3}, augment_tokens),
    ],
    ids=["images", "arrays", "tokens"],
)
def test_each_form_has_its_own_augmentation(form, items, rules, change):
    """Items are changed by the function for their form, with the same draws."""
    assert torch.equal(change(items, rules, generator=generator(3)), augmented(items, form, rules, generator=generator(3)))
    assert augmented(items, form, {}, generator=generator()) is items


@pytest.mark.parametrize(
    ("form", "items", "expected"),
    [
        ("images", np.array([[[[0, 51, 255]]]], dtype=np.uint8), torch.tensor([[[[0.0, 0.2, 1.0]]]])),
        ("arrays", np.array([[-1.5, 300.0]], dtype=np.float32), torch.tensor([[-1.5, 300.0]])),
        ("tokens", np.array([[7, 2**40, 0]], dtype=np.int64), torch.tensor([[7, 2**40, 0]])),
    ],
    ids=["images", "arrays", "tokens"],
)
def test_batches_are_as_models_take_them(form, items, expected):
    """Images become fp32 in [0, 1]; arrays and tokens are what was read, in their types."""
    found = prepared(items, form, torch.device("cpu"))

    assert found.dtype == expected.dtype
    assert torch.equal(expected, found)
