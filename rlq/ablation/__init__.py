"""Tables of variants: each row an experiment, run for several seeds, kept as a small file, compared with the paper."""
