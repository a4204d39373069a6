"""The engine that runs stages: shards of clips as task runs, and child processes with limits."""
