"""Sessions of users: reading, cutting, splitting, lanes, and features of moments."""
