import subprocess
import sys


def test_statistics_do_not_import_torch():
    """The leaderboard needs the statistics and has to start fast: neither torch nor scipy.stats comes with them."""
    code = "import siambench.stats, sys; print([name for name in ('torch', 'scipy.stats', 'sklearn', 'pandas') if name in sys.modules])"

    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == finished.stdout.strip()
