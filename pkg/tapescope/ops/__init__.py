"""The operations: each one's rule, forward, gradient and kernels side by side, a file per family.

They work on bare NumPy arrays. Called with tensors they hand over to the tape through :func:`record.register`.
"""
