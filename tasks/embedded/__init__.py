"""Data that the project makes itself: synthetic speakers, a moving photograph and a studio set."""
