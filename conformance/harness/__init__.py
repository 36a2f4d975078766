"""Drives unmodified vendor clients against a running claviger over real Redis servers."""
