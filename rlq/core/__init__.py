"""What every room uses: settings and their files, errors, the console, processes, whole writes, seeds."""
