"""Where units run. An engine is handed the function to execute and knows nothing of what it does.

An engine is a component: its factory is an `siambench.plugin.EngineEntry`, what it makes keeps the protocol
`siambench.interfaces.Engine`. `local` and `dask` are here; both keep the same rules, which `limits` holds: a call whose
worker was killed, or that a limit ended, is tried once more and is then lost with its reason. A process that has run a call of one
`siambench.interfaces.Place` runs none of another: `pool` has one worker process to a place, forked by a `server`, on whose near side
`processes` stands; `apart` is a pool of one, beside a process that something else has started, such as the worker of a Dask cluster.

The protocol carries Slurm (submitit) as it stands, because it assumes no shared memory, no live connection and no order:

- ``submit(key, *arguments)`` is ``executor.submit(function, *arguments)``, its job kept under the key; submitit pickles both
  into its folder. A job array would be one ``executor.batch()`` around the submissions that arrive before the next ``wait``.
- ``wait(seconds)`` looks at ``job.done()`` of the open jobs, no more often than Slurm likes to be asked, and gives
  ``job.result()``, or a `Lost` with the state and the last lines of ``job.stderr()`` as its reason. ``NODE_FAIL`` and
  ``PREEMPTED`` are submitted once more, like a killed worker here; so are ``OUT_OF_MEMORY`` and ``TIMEOUT``.
- ``cancel()`` is ``job.cancel()`` of those that are ``PENDING``; ``close(now=True)`` also of those that run.
- The partition is an option of the engine's own (``--engine-option partition=gpu``), ``time_limit`` and ``memory_limit`` become
  ``timeout_min`` and ``mem_gb``, ``jobs`` becomes ``slurm_array_parallelism``; one GPU per job is ``gpus_per_node=1``. ``fits`` is
  the first job, waited for before any other.
- Records are written by the jobs to the shared folder that Slurm needs anyway; what a job cannot write comes back as its result.
"""
