"""Unit → trained model: data → sampler → backbone → loss and miner → optimiser, in that order."""
