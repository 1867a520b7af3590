//! TSO/USO split and GRO coalescing of what a TUN device carries.
