"""What the world says: GPS and plate messages in, placed and stored."""
