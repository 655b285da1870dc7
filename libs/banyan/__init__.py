"""Banyan 榕: the service platform for social work in a province."""
