"""Items on the device: read as they are wanted, kept whole, or read ahead, always the same ones in the same order."""

import threading

import numpy as np
import pytest
import torch

from siambench.data import supply as module
from siambench.data.supply import supply
from siambench.data.transforms import prepared

CPU = torch.device("cpu")
WAYS = ["direct", "resident", "streamed"]


def items_of(form, number=2100):
    """Made-up items of a form, and a function that reads them."""
    random = np.random.default_rng(1)
    if form == "images":
        items = random.integers(0, 256, size=(number, 2, 3, 4), dtype=np.uint8)
    elif form == "arrays":
        items = random.standard_normal((number, 2, 5)).astype(np.float32)
    else:
        items = random.integers(0, 30, size=(number, 6))
    return items, lambda places: items[places]


@pytest.mark.parametrize("form", ["images", "arrays", "tokens"])
@pytest.mark.parametrize("way", WAYS)
def test_each_way_gives_what_is_read(form, way):
    """Batches of different sizes, with repeats, come as `prepared` gives what the data set reads, in the order that was asked for."""
    items, read = items_of(form)
    places = [torch.tensor(each) for each in ([5, 0, 5, 2099], [7], [1023, 1024, 1025], [0, 1, 2, 3, 4, 5, 6])]

    found = list(supply(read, len(items), form, CPU, way=way).batches(places))

    assert len(found) == 4
    for chosen, batch in zip(places, found, strict=True):
        assert torch.equal(prepared(items[chosen.numpy()], form, CPU), batch)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_given_can_be_written_into(way):
    """A model that changes its input in place changes no item that is given later, nor the data set."""
    items, read = items_of("arrays", 20)
    before = items.copy()
    giver = supply(read, 20, "arrays", CPU, way=way)
    for batch in giver.batches([torch.arange(20)] * 2):
        assert torch.equal(torch.from_numpy(before), batch)
        batch.zero_()

    assert np.array_equal(before, items)


def test_a_cpu_reads_as_it_goes_and_a_resident_part_is_read_once():
    """On a CPU nothing is read before it is wanted; kept whole, each item is read once, however often it is wanted."""
    _items, read = items_of("images", 30)
    asked = []

    def counted(places):
        asked.extend(places.tolist())
        return read(places)

    batches = supply(counted, 30, "images", CPU).batches([torch.arange(3), torch.arange(3)])
    assert asked == []
    next(batches)
    assert asked == [0, 1, 2]
    asked.clear()
    resident = supply(counted, 30, "images", CPU, way="resident")
    list(resident.batches([torch.arange(30)] * 3))
    assert sorted(asked) == list(range(30))


def test_no_more_is_read_ahead_than_is_kept():
    """While the first batch is computed with, so many further ones are read as there are places for, and no more."""
    _items, read = items_of("images", 50)
    asked, full = [], threading.Event()

    def counted(places):
        asked.append(int(places[0]))
        if len(asked) == 2 + module._AHEAD:
            full.set()
        return read(places)

    batches = supply(counted, 50, "images", CPU, way="streamed").batches([torch.tensor([place]) for place in range(50)])
    next(batches)
    assert full.wait(10)
    assert asked == list(range(2 + module._AHEAD))
    batches.close()


def readers():
    """The threads that read."""
    return [thread for thread in threading.enumerate() if thread.name == "siambench-reader"]


def test_no_reader_is_left():
    """The thread has ended when the last batch was given, when the loop is left before, and when reading raises: that error comes out."""
    _items, read = items_of("images", 50)
    places = [torch.tensor([place]) for place in range(50)]
    giver = supply(read, 50, "images", CPU, way="streamed")
    assert len(list(giver.batches(places))) == 50
    assert readers() == []
    left = giver.batches(places)
    next(left)
    assert len(readers()) == 1
    left.close()
    assert readers() == []

    def broken(places):
        if int(places[0]) == 3:
            raise OSError("the disk is gone")
        return read(places)

    given = supply(broken, 50, "images", CPU, way="streamed").batches(places)
    for _ in range(3):
        next(given)
    with pytest.raises(OSError, match="the disk is gone"):
        next(given)
    assert readers() == []


@pytest.mark.parametrize(("free", "way"), [(10_000, "_Streamed"), (40_000, "_Resident")])
def test_what_fits_is_kept_whole(monkeypatch, free, way):
    """On a GPU a part stays in its memory where it takes a quarter of what is free or less, else it is read ahead."""
    _items, read = items_of("images", 400)  # 9,600 bytes
    made = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    for kind in ("_Streamed", "_Resident"):
        monkeypatch.setattr(module, kind, lambda *given, kind=kind: made.append(kind))
    supply(read, 400, "images", torch.device("cuda", 0))

    assert made == [way]


def test_where_others_took_the_memory_items_are_read_ahead(monkeypatch):
    """A part that fitted when it was asked, and no longer when it was copied, is read ahead instead."""

    class Full:
        def __init__(self, *given):
            raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(module, "_Resident", Full)
    items, read = items_of("images", 4)
    [batch] = supply(read, 4, "images", CPU, way="resident").batches([torch.arange(4)])

    assert torch.equal(prepared(items, "images", CPU), batch)
