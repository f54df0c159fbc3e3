"""The peak memory of one step in chunks, and of the whole batch: ``python tests/benchmarks/chunks.py 0`` (no chunks), ``… 32``."""

from __future__ import annotations

import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from siambench.builtin.backbones.networks import koch2015
from siambench.training.chunks import InChunks


def main(chunk: int) -> None:
    """One step of a softmax over all pairs of 512 images of 28 × 28 through koch2015; what it takes beyond what was there before."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network: nn.Module = nn.Sequential(koch2015((1, 28, 28), dropout=0.0), nn.LazyLinear(64))
    items = torch.rand(512, 1, 28, 28)
    with torch.no_grad():
        network(items[:2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    embeds = InChunks(network, chunk=chunk, per_chunk_batchnorm=False) if chunk else network
    rows = functional.normalize(embeds(items))
    (rows @ rows.T).logsumexp(dim=1).mean().backward()
    seconds = time.process_time() - started
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    sys.stdout.write(f"{megabytes:.0f} MB, {seconds:.1f} s of one core\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
