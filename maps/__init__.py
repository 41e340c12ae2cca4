"""What people see: vector tiles, styles and map reports."""
