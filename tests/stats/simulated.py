"""What simulations of many tables at once share."""

import numpy as np


def found_by_holm(p_value):
    """Which of the pairs of each table are significant together, [tables, pairs]."""
    ordered = np.sort(p_value, axis=1)
    passed = np.cumprod(ordered <= 0.05 / np.arange(p_value.shape[1], 0, -1), axis=1).sum(axis=1)
    last = np.where(passed > 0, ordered[np.arange(len(ordered)), np.maximum(passed - 1, 0)], -1.0)
    return p_value <= last[:, None]
