"""Tables of variants: each row is an experiment, run for several seeds, and compared with the published numbers."""
