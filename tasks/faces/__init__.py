"""Faces in pictures: MediaPipe's detector and landmarks, and which frames of a clip are one usable take."""
