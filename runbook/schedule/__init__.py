"""When runs start by themselves: schedules, and the service that keeps to them."""
