"""What runs on Gradescope, in a container that was made of the zip: as root, and far from home."""
