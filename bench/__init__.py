"""Side-by-side measurements: `bin/bench [NAME] [--json]`."""
