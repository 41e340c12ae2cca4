"""What checkpoints see beside what is declared: combinations, warnings, overrides, priority."""
