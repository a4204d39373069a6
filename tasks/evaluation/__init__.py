"""Models judged on a dataset version: depth, samples, talking clips, and the page that shows them."""
