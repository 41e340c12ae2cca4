"""Yards: entries, exits, counts, capacities, and the plan of who stands where."""
