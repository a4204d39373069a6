"""What training reads: manifest rows, depth codes, pictures, windows of speech, and their order."""
