"""For plugin authors and for siambench's own tests: a made-up data set, a tiny exam on it, studies of that exam.

The contracts of components are in `siambench.testing.contracts`, which imports torch.
"""

from siambench.testing.synthetic import synthetic_catalogue, synthetic_dataset, synthetic_study, synthetic_track

__all__ = ["synthetic_catalogue", "synthetic_dataset", "synthetic_study", "synthetic_track"]
