"""Goals: one file per deployment; each flow reads like the method section it implements."""
