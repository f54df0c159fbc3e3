"""The losses as modules, a file each: what one computes is no part of another one's identity."""
