"""What anybody may see of a trip whose code they have."""
