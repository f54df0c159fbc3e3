"""Where a run happens: the coordinator, the engines that units run on, the worker that runs one."""
