"""Asking the workers of a cluster whether they fit, where some die while they are asked."""

from __future__ import annotations

import asyncio

import pytest

from siambench.errors import UsageError
from siambench.execution.engines import dask_cluster
from siambench.execution.engines.dask_cluster import check
from siambench.execution.engines.pool import Ended
from siambench.machine import own_version

ADDRESS = "tcp://127.0.0.1:8786"


class Client:
    """A client whose workers answer, time by time, as they are told to."""

    def __init__(self, *times):
        self.times, self.asked, self.waited = list(times), [], 0

    def get_versions(self, packages):
        """A worker that is gone by then has no versions."""
        workers = self.times[0]
        return {
            "workers": {
                name: {"packages": {"siambench": own_version()}} if answer != "silent" else None for name, answer in workers.items()
            }
        }

    def run(self, function, *arguments, on_error, workers):
        """The answers of those that are asked."""
        self.asked.append(sorted(workers))
        answers = self.times.pop(0)
        return {name: answers[name] for name in workers}

    def wait_for_workers(self, number, timeout):
        """They are made anew, or are not."""
        self.waited += 1
        raise TimeoutError


def asked(*times):
    client = Client(*times)
    check(client, ADDRESS, lambda: None, ())
    return client


def test_a_worker_that_dies_while_it_is_asked_is_passed_over():
    """A connection that breaks off, or a worker without versions, refuses nothing where another worker fits."""
    client = asked({"a": OSError("Connection closed"), "b": None, "c": "silent"})

    assert [["a", "b"]] == client.asked
    assert client.waited == 0


def test_where_all_die_new_ones_are_asked():
    """After workers that died the next ones are asked; what they say against the calls is still a refusal."""
    dead = {"a": OSError("Connection closed"), "b": OSError("Connection closed")}

    assert asked(dead, {"c": None}).waited == 1
    with pytest.raises(UsageError, match=r"the worker c of the Dask cluster .* cannot run this: no such loss"):
        asked(dead, {"c": "no such loss", "d": OSError("Connection closed")})


def test_a_cluster_whose_workers_never_live_to_answer_is_refused():
    """Three times asked, three times dead: one sentence says so, and nothing hangs."""
    dead = {"a": OSError("Connection closed")}

    with pytest.raises(UsageError, match=r"no worker of the Dask cluster at tcp.* lived long enough .* 3 times asked"):
        asked(dead, dead, dead)


def test_an_error_that_is_no_broken_connection_refuses():
    """What a worker raises of its own is the reason of the refusal."""
    with pytest.raises(UsageError, match=r"cannot run this: .*a bug"):
        asked({"a": ValueError("a bug"), "b": None})


def test_a_process_that_is_killed_while_it_looks_is_made_anew(monkeypatch):
    """The process in which a worker imports what calls need may be killed: it looks once more, and says what it finds."""
    ends = [
        Ended("fits", None, "its worker process was killed", fault=True),
        Ended("fits", "the loss soft is not installed", None, fault=False),
    ]

    class Apart:
        def call(self, *_):
            return ends.pop(0)

    monkeypatch.setattr(dask_cluster, "apart", lambda preload: Apart())
    assert asyncio.run(dask_cluster.ask(lambda: None, ())) == "the loss soft is not installed"
    assert not ends
