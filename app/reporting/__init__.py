"""Time in each step, and the daily bulletin."""
