"""The pages that people read: report.html and card.md of a dataset version, and Prefect artifacts."""
