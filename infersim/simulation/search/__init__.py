"""Choices layer by layer: what each costs, and the plan that loses least and meets targets."""
