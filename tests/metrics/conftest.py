import pytest
import torch
from hypothesis import settings

# The same examples on every run, and no clock: a slow machine is not a wrong score.
settings.register_profile("exact", deadline=None, derandomize=True)
settings.load_profile("exact")


@pytest.fixture(autouse=True)
def one_thread():
    """Compute as a unit does; on small tensors several threads mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
