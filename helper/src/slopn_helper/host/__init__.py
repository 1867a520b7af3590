"""Everything that changes or watches this machine: a package a capability, a module a mechanism."""
