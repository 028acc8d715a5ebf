"""What all reports share: tables, verdicts, rounding, notes and the glossary."""
