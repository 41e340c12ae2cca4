"""Where vehicles are: doors of GPS clients, devices, the ingest worker, positions, live events."""
