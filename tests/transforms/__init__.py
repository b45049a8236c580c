"""How answers become items."""
