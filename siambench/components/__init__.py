"""What is installed, who provides it, and where it comes from."""
