"""A typhoon day 台风日, generated from a seed and said to be: for the demo, the benchmarks and the tests of the optimum.

Divisions and the centres of counties are the real ones; workers and calls for help are drawn, and nobody in them is real.
"""
