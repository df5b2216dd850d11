"""What the rest of the application stands on."""
