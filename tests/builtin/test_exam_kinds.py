"""The augmentation, the optimisers, the schedules and the split rules that ship: registered as anybody's, and those that are used."""

from __future__ import annotations

import inspect

import pytest
import torch

from siambench.builtin.augmentations import siambench_augmentations
from siambench.builtin.optimisers import siambench_optimisers
from siambench.builtin.schedules import siambench_schedules
from siambench.builtin.split_rules import siambench_split_rules
from siambench.data.forms import UNCLASSED_RULES
from siambench.errors import ConfigError
from siambench.plugin import accepted_by
from siambench.spec import ANNEALING
from siambench.tracks.split import RULES
from siambench.tracks.split_rules import OWN
from siambench.training.optimiser import OPTIMISERS, SCHEDULES


def test_what_is_registered_is_what_is_used():
    """Each entry's factory is the function that training, or the cutting of data, calls by that name; no name is missing."""
    pairs = ((siambench_optimisers(), OPTIMISERS), (siambench_schedules(), SCHEDULES), (siambench_split_rules(), OWN))
    for entries, used in pairs:
        assert {name: entry.build.found for name, entry in entries.items()} == dict(used)
        for entry in entries.values():
            assert [*accepted_by(entry.build)] == [*inspect.signature(entry.build.found).parameters]
    assert {*OWN, *UNCLASSED_RULES} == set(RULES)


def test_the_schedules_that_anneal_are_those_that_units_know():
    """What entries say of it is what is read off a unit without them."""
    assert set(ANNEALING) == {name for name, entry in siambench_schedules().items() if entry.anneals}


def cut_out(images, size, drawn):
    """The same by loops: around each pixel drawn, as far as the image goes."""
    found = images.clone()
    for item, (down, across) in enumerate(drawn):
        height, wide = images.shape[2:]
        top, left = int(down * height) - size // 2, int(across * wide) - size // 2
        for row in range(max(0, top), min(height, top + size)):
            for column in range(max(0, left), min(wide, left + size)):
                found[item, :, row, column] = 0
    return found


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_cutout_is_what_loops_give(size):
    """Squares of odd, even and huge size in images that are not square, for one draw of two numbers an image."""
    images = torch.rand((7, 2, 6, 11), generator=torch.Generator().manual_seed(1)) + 0.1
    change = siambench_augmentations()["cutout"].build(size)
    found = change(images, torch.Generator().manual_seed(3))
    drawn = torch.rand((7, 2), generator=torch.Generator().manual_seed(3)).tolist()

    assert torch.equal(cut_out(images, size, drawn), found)
    assert (found == 0).any()


@pytest.mark.parametrize("size", [0, -3])
def test_a_square_without_pixels_is_refused(size):
    """A size below 1 is said in a sentence."""
    with pytest.raises(ConfigError, match=f"augment.cutout.size must be at least 1 pixel, got {size}"):
        siambench_augmentations()["cutout"].build(size)
