"""How good depth and samples are: metrics as plain functions on arrays, and the estimators they judge."""
