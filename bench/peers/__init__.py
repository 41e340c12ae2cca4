"""The same traffic in the engines of others."""
