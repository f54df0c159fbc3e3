"""How much of a gradient a distance gives at equality and near it: run as a script, it prints the table of the README."""

from __future__ import annotations

import torch
from torch.nn import functional

SIZE = 8
APART = (0.0, 1e-6, 1e-3, 0.1)

DISTANCES = {
    "`torch.linalg.vector_norm(x - y)`": lambda x, y: torch.linalg.vector_norm(x - y),
    "`functional.pairwise_distance(x, y)`": lambda x, y: functional.pairwise_distance(x[None], y[None])[0],
    "`((x - y) ** 2).sum()`": lambda x, y: (x - y).square().sum(),
    "`1 - functional.cosine_similarity(x, y)`": lambda x, y: 1 - functional.cosine_similarity(x, y, dim=0),
    "`((x - y) ** 2).sum().sqrt()`": lambda x, y: (x - y).square().sum().sqrt(),
    "`torch.cdist(x, y)`": lambda x, y: torch.cdist(x[None], y[None])[0, 0],
}


def gradient_norm(name: str, apart: float, *, dtype: torch.dtype = torch.float64) -> float:
    """Length of the gradient by x of a distance of x and y, two vectors of length 1 that lie so far apart.

    Args:
        name: of `DISTANCES`.
        apart: their Euclidean distance, in [0, 2).
        dtype: of both.
    """
    x = torch.arange(1, SIZE + 1, dtype=torch.float64)
    x = x / x.norm()
    aside = torch.ones(SIZE, dtype=torch.float64)
    aside = aside - (aside @ x) * x
    aside = aside / aside.norm()
    # The chord of an angle a is 2 sin(a / 2).
    angle = 2 * torch.arcsin(torch.tensor(apart / 2, dtype=torch.float64))
    y = (angle.cos() * x + angle.sin() * aside).to(dtype)
    x = x.to(dtype).requires_grad_()
    y = x.detach().clone() if apart == 0 else y
    DISTANCES[name](x, y).backward()
    return float(x.grad.norm())


def table() -> str:
    """The table, in Markdown."""
    lines = [f"| distance | {' | '.join('at equality' if apart == 0 else f'{apart:g} apart' for apart in APART)} |", f"|{'---|' * 5}"]
    lines += [f"| {name} | {' | '.join(f'{gradient_norm(name, apart):.3g}' for apart in APART)} |" for name in DISTANCES]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
