"""Pictures and their labels: readers of data sets, transforms, samplers, batches."""
