"""The window: it shows the page of app/ui, and stands between it, the helper and this user's files."""
