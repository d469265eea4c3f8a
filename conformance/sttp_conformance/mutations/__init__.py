"""Ways to be wrong: for each chapter the mutants that its checks must catch."""
