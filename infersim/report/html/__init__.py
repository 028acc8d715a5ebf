"""Pages: elements, body, legend and files of figures."""
