"""What a person sees: each view is a function of the trace."""
