"""What every room uses: tables, hashing, files that appear whole, errors, configuration, names, progress."""
