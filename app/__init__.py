"""What people and devices talk to: web, API, workers, accounts."""
