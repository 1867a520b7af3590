"""The icon in the panel: its own process, and never more than a front end of the helper's."""
