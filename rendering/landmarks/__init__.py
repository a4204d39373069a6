"""MediaPipe's 478 landmarks on a face model: names, positions, and the renders that give the positions."""
