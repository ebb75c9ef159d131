"""Sessions of users: reading, cutting, splitting, rows, and features of context."""
