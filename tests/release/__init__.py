"""Tests of what a release hands out: files, versions, the installed program."""
