"""The PinnerSage paper's evaluation: rolling days, rivals, its tables."""
