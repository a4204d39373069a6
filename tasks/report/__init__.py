"""What people look at: report.html and card.md of a dataset version, and the same as Prefect artifacts."""
