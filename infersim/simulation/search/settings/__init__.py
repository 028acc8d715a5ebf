"""What plans are judged in, scenarios or a service: costs of choices, full predictions, targets."""
