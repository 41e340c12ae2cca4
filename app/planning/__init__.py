"""What-if scenarios and the settings that planners keep."""
