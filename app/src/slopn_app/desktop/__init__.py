"""What tray and window share."""
