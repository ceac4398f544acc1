"""`make mutants`: small changes to the handler, each of which a test has to notice."""
