"""Attestations, dossiers and exports."""
