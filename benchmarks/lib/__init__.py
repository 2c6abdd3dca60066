"""What several benchmarks use: none of it is run by itself."""
