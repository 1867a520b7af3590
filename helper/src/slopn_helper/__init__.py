"""The privileged half of SloPN: it owns tunnel, kill switch, DNS, routes and the state of all of them."""
