"""The trusted third party: a small certificate authority that obeys the rules glasslock checks."""
