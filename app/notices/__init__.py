"""Intake bans and outages of gates, announced to those whose trips they concern."""
