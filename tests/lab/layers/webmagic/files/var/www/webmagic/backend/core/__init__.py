"""What every part of the backend needs."""
