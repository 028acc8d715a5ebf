"""The documentation: what its pages compute, print and promise holds; the site builds and works offline."""
