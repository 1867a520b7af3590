"""macOS: the Unix socket, and who calls by LOCAL_PEERCRED, LOCAL_PEERTOKEN and code signature. `endpoint` is for bootstrap."""
