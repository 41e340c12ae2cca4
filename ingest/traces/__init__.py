"""Recorded traces in and out: GPX, GeoJSON, KML, NMEA, CSV, NDJSON, Parquet, FIT, TCX."""
