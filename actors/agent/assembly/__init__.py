"""Puts agents together: finds what manifests and configs name, and checks it before anything is admitted."""
