"""What enterprises keep on file: vehicles, drivers, containers, documents; and who has proven which vehicle."""
