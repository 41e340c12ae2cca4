"""Where things are: the corridor, its sites, and placing positions on it."""
