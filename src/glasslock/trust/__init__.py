"""Step 2, identify: is this certificate for this name, in date, and vouched for by someone I trust?"""
