"""The enterprise's pages: its shipments on a map and in a table."""
