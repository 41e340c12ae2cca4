"""Who did what: the audit log, found by plate, code, person and act, and told in words."""
