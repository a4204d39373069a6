"""Media files: what a file is, its frames and sound in and out, and the only way ffmpeg is started."""
