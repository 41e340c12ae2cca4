"""Signing in: passwords, second factors, identity providers, and what slows down whoever guesses."""
