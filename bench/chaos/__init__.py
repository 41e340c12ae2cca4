"""A real platform under load, what is done to it, and whether it kept what it acknowledged."""
