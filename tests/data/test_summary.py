import dataclasses

import numpy as np
import pytest

from siambench.data.summary import summary
from siambench.testing import synthetic_dataset


@pytest.mark.parametrize(("form", "items"), [("images", "images"), ("arrays", "arrays"), ("tokens", "texts")])
def test_a_data_set_is_told_in_one_line(form, items):
    """Classes, items by their form, the smallest and the largest class, the first class, and what the loader said."""
    dataset = dataclasses.replace(synthetic_dataset(form=form), notes=["passed over: 1 file (README)"])

    found = summary(dataset)

    assert str(found) == f"8 classes, 48 {items}, 6 to 6 a class, first class class-000; passed over: 1 file (README)"
    assert found.to_json() == {
        "form": form,
        "classes": 8,
        "items": 48,
        "least": 6,
        "most": 6,
        "first_classes": ["class-000", "class-001", "class-002"],
        "notes": ["passed over: 1 file (README)"],
    }


def test_classes_without_items_do_not_count():
    """A class that is named and has no item is not among those that are told."""
    dataset = synthetic_dataset(classes=3, images_per_class=2)
    fewer = dataclasses.replace(dataset, labels=np.array([1, 1, 1, 2, 2, 2]))

    assert str(summary(fewer)) == "2 classes, 6 images, 3 to 3 a class, first class class-001"
