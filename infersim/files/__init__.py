"""Reading and writing files, whatever they hold."""
