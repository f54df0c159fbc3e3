"""How many steps a model is trained for: what is trained on more images sees each of them as often."""

from __future__ import annotations

import math
from collections.abc import Sequence


def scaled_steps(steps: int, *, images: int, of_folds: Sequence[int]) -> int:
    """Steps per epoch of a model that is trained on so many images, at least 1.

    A track says how many steps per epoch a trial takes. A final model has the classes that were held out beside those of a fold: with as
    many steps it would see each image, and the proxy of each class would be moved, that much less often.

    Args:
        steps: per epoch, of a trial.
        images: that the model is trained on.
        of_folds: how many images a trial is trained on, for each fold.
    """
    return max(1, round(steps * images * len(of_folds) / math.fsum(of_folds)))
