"""The sources' experiments: each a module to run, with the source's settings as defaults."""
