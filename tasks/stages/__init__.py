"""The stages of the data DAG, one module each; every module has one constant STAGE."""
