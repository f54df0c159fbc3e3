"""The classification losses beside those of pytorch-metric-learning: where that is right the same, where it is wrong both shown."""

from __future__ import annotations

import pytest
import torch
from pytorch_metric_learning import losses
from test_library import CLASSES, SIZE, assert_equal, batches, given
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.plugin import call_factory

ENTRIES = siambench_losses()


def sized(make, **named):
    """A loss of the library's, its parameters called as ours are but for some."""
    return lambda **params: make(
        num_classes=CLASSES, embedding_size=SIZE, **{named.get(name, name): value for name, value in params.items()}
    )


def soft_triple(reg_weight, **params):
    """Without its regulariser, which the library leaves to the user."""
    assert reg_weight == 0.0
    return losses.SoftTripleLoss(num_classes=CLASSES, embedding_size=SIZE, **params)


def whole(make):
    """Where ψ counts whole, as it always does in the library."""

    def made(ease, **params):
        assert ease == 0.0
        return sized(make)(**params)

    return made


LIBRARY = {
    "cosface": sized(losses.CosFaceLoss),
    "sphereface": whole(losses.SphereFaceLoss),
    "large-margin-softmax": whole(losses.LargeMarginSoftmaxLoss),
    "normalised-softmax": sized(losses.NormalizedSoftmaxLoss),
    "subcenter-arcface": sized(losses.SubCenterArcFaceLoss),
    "soft-triple": soft_triple,
}
PSI = [{"ease": 0.0, **params} for params in ({}, {"margin": 1}, {"margin": 2, "scale": 8.0}, {"margin": 3, "scale": 0.1})]
PARAMS = {
    "cosface": [{}, {"margin": 0.6, "scale": 8.0}, {"margin": 0.0, "scale": 128.0}],
    "sphereface": PSI,
    "large-margin-softmax": PSI,
    "normalised-softmax": [{}, {"temperature": 0.01}, {"temperature": 0.5}],
    "subcenter-arcface": [{}, {"margin": 45.0, "scale": 8.0, "sub_centers": 2}, {"margin": 0.0, "scale": 128.0, "sub_centers": 10}],
    "soft-triple": [{"reg_weight": 0.0}, {"reg_weight": 0.0, "la": 80.0, "gamma": 1.0, "margin": 0.2, "centers_per_class": 3}],
}
CASES = [(name, params) for name, settings in PARAMS.items() for params in settings]
NAMES = [f"{name} {params}" for name, params in CASES]


def built(name, **params):
    """A loss of ours."""
    entry = ENTRIES[name]
    torch.manual_seed(3)
    return call_factory(entry.build, {"num_classes": CLASSES, "embedding_size": SIZE, **entry.defaults, **params})


def alike(own, library):
    """The library's loss with our weights."""
    with torch.no_grad():
        for ours, theirs in zip(own.parameters(), library.parameters(), strict=True):
            theirs.copy_(ours)
    return library


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("name", "params"), CASES, ids=NAMES)
def test_losses_equal_the_librarys(name, params, dtype):
    """A loss has the library's value and gradients, by embeddings and by weights, on every batch, in float64 and in fp32."""
    for what, (points, labels) in batches(dtype).items():
        own = built(name, **params).to(dtype)
        library = alike(own, LIBRARY[name](**{**ENTRIES[name].defaults, **params}).to(dtype))
        ours, theirs = (given(ENTRIES[name], loss, points, labels) for loss in (own, library))
        try:
            assert_equal(ours, theirs, dtype)
        except AssertionError as error:
            raise AssertionError(f"on {what}: {error}") from error


def test_proxy_nca_pp_is_what_the_library_calls_proxy_nca():
    """The library's ProxyNCALoss has the true proxy among the others: it is ProxyNCA++ with the root of its scale."""
    points, labels = batches()["asymmetric"]
    own = built("proxy-nca-pp", scale=3.0).double()
    library = alike(own, losses.ProxyNCALoss(num_classes=CLASSES, embedding_size=SIZE, softmax_scale=9.0).double())

    assert_equal(*(given(ENTRIES["proxy-nca-pp"], loss, points, labels) for loss in (own, library)), torch.float64)


def test_proxy_nca_leaves_the_true_proxy_out_of_the_sum():
    """By the paper an item nearer to its own proxy than to all others costs less than 0; the library's loss is never below 0."""
    points, labels = batches()["asymmetric"]
    own = built("proxy-nca").double()
    library = alike(own, losses.ProxyNCALoss(num_classes=CLASSES, embedding_size=SIZE, softmax_scale=9.0).double())
    near = functional.normalize(own.proxies.detach())[labels] + 1e-3 * points
    rows = functional.normalize(near)

    assert built("proxy-nca", softmax_scale=9.0).double()(rows, labels).item() < -1
    assert library(rows, labels).item() > 0


def test_proxy_nca_keeps_its_gradient_at_a_scale_of_100():
    """In fp32 at the Reality Check's bound the worst item still pulls; the library's term underflows, and the item is dropped."""
    own = built("proxy-nca", softmax_scale=100.0)
    # The first item lies on another class's proxy, opposite to its own: its d² is 4.
    with torch.no_grad():
        own.proxies[1] = -own.proxies[0]
    library = alike(own, losses.ProxyNCALoss(num_classes=CLASSES, embedding_size=SIZE, softmax_scale=100.0))
    rows, labels = functional.normalize(own.proxies.detach()[1:3]), torch.tensor([0, 2])
    slopes = []
    for loss in (own, library):
        leaf = rows.clone().requires_grad_()
        loss(leaf, labels).backward()
        slopes.append(leaf.grad[0])

    assert float(slopes[0].norm()) > 100
    assert float(slopes[1].norm()) == 0


def test_p2sgrad_is_the_librarys_times_the_number_of_classes():
    """The library takes the mean over classes where the formula that it cites has their sum; by the embeddings the slope is that too."""
    points, labels = batches()["asymmetric"]
    own, library = built("p2sgrad").double(), losses.P2SGradLoss(descriptors_dim=SIZE, num_classes=CLASSES).double()
    with torch.no_grad():
        library.weight.copy_(own.weight)
    ours, theirs = (given(ENTRIES["p2sgrad"], loss, points, labels) for loss in (own, library))

    assert theirs[0].item() * CLASSES == pytest.approx(ours[0].item(), rel=1e-6)
    assert torch.allclose(theirs[1] * CLASSES, ours[1], rtol=1e-5, atol=1e-7)


def test_p2sgrad_turns_its_weights_and_does_not_stretch_them():
    """The gradient by a weight vector is at right angles to it, so that its length has no part in the loss."""
    points, labels = batches()["asymmetric"]
    own = built("p2sgrad").double()
    _, _, slope = given(ENTRIES["p2sgrad"], own, points, labels)

    assert float((slope * own.weight.detach()).sum(dim=0).abs().max()) < 1e-12 < float(slope.norm())


def test_soft_triple_draws_the_centres_of_a_class_together():
    """The regulariser is half the mean distance of a class's centres, and its gradient shortens them."""
    points, labels = batches()["asymmetric"]
    bare, full = (built("soft-triple", reg_weight=weight).double() for weight in (0.0, 1.0))
    rows = functional.normalize(points)
    gain = full(rows, labels) - bare(rows, labels)
    centers = functional.normalize(full.centers.detach(), dim=0).T.view(CLASSES, 10, SIZE)
    apart = torch.stack([torch.pdist(one).mean() for one in centers]).mean()

    assert gain.item() == pytest.approx(float(apart) / 2, rel=1e-4)


def test_psi_is_eased_in():
    """At the first step nearly the cosine itself counts; after 6 % of the training, and so to the end, a sixth of ψ."""
    from siambench.builtin.losses.forms.multiple_angle import eased, psi

    cosine = torch.linspace(-1, 1, 41, dtype=torch.float64)
    first, later, last = (eased(cosine, 4, ease=5.0, progress=share) for share in (0.0, 0.06, 1.0))

    torch.testing.assert_close(first, (1000 * cosine + psi(cosine, 4)) / 1001)
    torch.testing.assert_close(last, (5 * cosine + psi(cosine, 4)) / 6)
    torch.testing.assert_close(later, last)
    torch.testing.assert_close(eased(cosine, 4, ease=0.0, progress=0.0), psi(cosine, 4))
