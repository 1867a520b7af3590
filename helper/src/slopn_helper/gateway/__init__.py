"""The server role: who may connect, with which address, and what they may reach."""
