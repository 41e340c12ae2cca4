"""People, organisations, roles, sessions and the audit log."""
