import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from siambench.data.checked import checked
from siambench.errors import DataError

POINTS = np.random.default_rng(0).normal(size=(8, 3))
LABELS = np.repeat([3, 10], 4)


@pytest.fixture
def npz(tmp_path, build):
    """Write arrays into a .npz and load it as a data set."""

    def load(**arrays):
        np.savez(tmp_path / "mine.npz", **arrays)
        return build("npz", path=str(tmp_path / "mine.npz"))

    return load


@pytest.mark.parametrize("name", ["features", "embeddings"])
@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "u1"])
def test_features_are_arrays_of_32_bits(npz, every, name, kind):
    """Real numbers of any width are float32 as they are; whole labels are classes in order of size."""
    values = (POINTS * 20).astype(kind)
    dataset = npz(**{name: values, "labels": LABELS})

    checked(dataset, "mine")
    assert (dataset.form, dataset.shape, dataset.class_names) == ("arrays", (3,), ["3", "10"])
    assert np.array_equal(values.astype(np.float32), every(dataset))
    assert dataset.labels.tolist() == [0] * 4 + [1] * 4


def test_what_may_stand_beside_them(npz):
    """Text for labels, groups of classes, an official split and names are taken; what else there is is told."""
    dataset = npz(
        features=POINTS.reshape(8, 1, 3),
        labels=np.array(list("aabbccdd")),
        groups=np.array([1, 1, 1, 1, 2, 2, 2, 2]),
        split=np.array(["train"] * 4 + ["test"] * 4),
        names=np.array([f"n{i}" for i in range(8)]),
        more=np.zeros(1),
    )

    assert dataset.shape == (1, 3)
    assert dataset.class_attributes == {"group": ["1", "1", "2", "2"]}
    assert dataset.parts["test"].tolist() == [4, 5, 6, 7]
    assert dataset.item_names[7] == "n7"
    assert list(dataset.notes) == ["parts train, test: the official split", "passed over: 1 array (more)"]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64, torch.int32])
def test_tensors_are_read(tmp_path, build, every, kind):
    """A safetensors file gives the same, bfloat16 too."""
    values = torch.from_numpy(POINTS * 4).to(kind)
    save_file({"features": values, "labels": torch.from_numpy(LABELS)}, tmp_path / "mine.safetensors")

    dataset = build("safetensors", path=str(tmp_path / "mine.safetensors"))

    assert np.array_equal(values.to(torch.float32).numpy(), every(dataset))
    assert dataset.class_names == ["3", "10"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": POINTS}, "must hold the arrays features and labels, it holds features"),
        ({"labels": LABELS}, "it holds labels"),
        ({"features": POINTS, "labels": LABELS[:7]}, "labels of .* one value per item, got 7 for 8 items"),
        ({"features": POINTS, "labels": LABELS * 1.0}, "labels of .* must be whole numbers or text, one per item, got float64"),
        ({"features": POINTS, "labels": LABELS.astype(object)}, r"labels of .* holds Python objects \(dtype object\).*\.astype\(str\)"),
        ({"features": POINTS[:, 0], "labels": LABELS}, r"must be real numbers \[items, …\] and not empty, got float64 of shape \(8,\)"),
        ({"features": POINTS[:0], "labels": LABELS[:0]}, "not empty"),
        ({"features": POINTS + 1j, "labels": LABELS}, "real numbers .* got complex128"),
        ({"features": POINTS > 0, "labels": LABELS}, "real numbers .* got bool"),
        (
            {"features": np.where(POINTS > 0, POINTS, np.nan), "labels": LABELS},
            "items hold numbers that are not finite in 32 bits, the first is item",
        ),
        ({"features": POINTS * 1e300, "labels": LABELS}, "not finite in 32 bits"),
        ({"features": POINTS, "labels": LABELS, "groups": np.arange(8)}, "groups must be the same for all items of a class, class '3'"),
        ({"features": POINTS, "labels": LABELS, "split": np.array(["train"] * 8)}, "a split has train beside test"),
        ({"features": POINTS, "labels": LABELS, "split": np.array(["tes"] * 8)}, "split must be one of .*'tes'"),
    ],
)
def test_what_does_not_hold_is_one_sentence(npz, arrays, message):
    """Whatever is wrong with the arrays is said with the name of the array and of the file."""
    with pytest.raises(DataError, match=message):
        npz(**arrays)
