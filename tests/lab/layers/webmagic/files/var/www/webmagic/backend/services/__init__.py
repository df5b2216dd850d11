"""What goes on behind the endpoints."""
