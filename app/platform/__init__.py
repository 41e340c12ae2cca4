"""What every feature stands on: runtime, errors, outbox, audit, idempotency, permissions, labels, PDF."""
