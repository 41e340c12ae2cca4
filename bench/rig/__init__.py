"""What measurements of the running platform stand on: processes, load, events."""
