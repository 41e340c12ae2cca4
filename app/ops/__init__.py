"""What operators run: supervisor, embedded servers, installation, migration, metrics, logs, replay, health."""
