"""The kill switch on Windows, by the Windows Filtering Platform: what is decided is pure, and tested on any system."""
