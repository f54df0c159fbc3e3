"""What several tests of boards use."""

from __future__ import annotations

import pytest

from siambench import cli


@pytest.fixture
def call(capsys):
    """Run a command; gives its exit code, stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    return run
