r"""Windows: `\\.\pipe\slopn`. `endpoint` is what bootstrap wires up; `win32` holds every call, the rest runs anywhere."""
