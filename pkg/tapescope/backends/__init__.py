"""Where arrays live and how kernels are compiled. The only layer that touches Numba or a device library, and it does so late."""
