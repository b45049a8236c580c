"""What is shipped in config/."""
