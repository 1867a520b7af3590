"""SloPN's front ends: the command line, later tray and window. None of them has rights of its own."""
