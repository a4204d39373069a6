"""MediaPipe's 478 landmarks on a face model: names, positions, and the renders they are learnt from."""
