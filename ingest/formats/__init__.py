"""One file a wire format: bytes in, records out, nothing else."""
