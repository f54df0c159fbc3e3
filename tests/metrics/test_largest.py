import pytest
import torch

from siambench.metrics.largest import group_size, largest, largest_of_groups


def laid_out(values, group):
    """Index g · group + m to column m · G + g, as the search lays out its references."""
    rows, columns = values.shape
    return values.view(rows, columns // group, group).transpose(1, 2).reshape(rows, columns)


@pytest.mark.parametrize("group", [1, 2, 4, 16])
@pytest.mark.parametrize("k", [1, 2, 5, 30, 63, 64])
@pytest.mark.parametrize("levels", [1, 3, 10**6])
def test_groups_give_what_a_stable_sort_gives(levels, k, group):
    """Values and indices are those of a stable sort of whole rows, whether all, some or no values are equal."""
    values = torch.randint(levels, (50, 64), generator=torch.Generator().manual_seed(k)).double()

    found = largest_of_groups(laid_out(values, group), k, group=group)

    expected = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(expected.values[:, :k], found[0])
    assert torch.equal(expected.indices[:, :k], found[1])


@pytest.mark.parametrize("k", [1, 7, 64, 100])
def test_largest_is_a_cut_stable_sort(k):
    """Without groups, too, equals come in order of position; asking for more than there is gives all."""
    values = torch.randint(5, (20, 64), generator=torch.Generator().manual_seed(0)).float()

    found = largest(values, k)

    expected = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(expected.values[:, :k], found[0])
    assert torch.equal(expected.indices[:, :k], found[1])


def test_hidden_columns_come_last():
    """Columns at minus infinity are found only when there is nothing else."""
    values = torch.tensor([[-torch.inf, 2.0, -torch.inf, 3.0, -torch.inf, -torch.inf, 1.0, -torch.inf]])

    assert largest_of_groups(laid_out(values, 2), 4, group=2)[1].tolist() == [[3, 1, 6, 0]]


def test_groups_are_powers_of_two_that_balance_both_steps():
    """A group holds about twice the square root of columns per neighbour, and no more than 64."""
    assert [64, 16, 2, 1] == [group_size(60_672, 10), group_size(60_672, 1000), group_size(192, 192), group_size(192, 1000)]
