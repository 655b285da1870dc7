"""What tests, the demo and the benchmarks stand on: private servers, faults on the wire, databases of one's own."""
