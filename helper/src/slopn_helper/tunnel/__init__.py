"""The tunnel as a state machine. All but `driver` is pure: no I/O, no clock, no chance, no logging."""
