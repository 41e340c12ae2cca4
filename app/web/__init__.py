"""The pages, one file a role."""
