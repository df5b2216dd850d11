"""What every service of the backend needs."""
