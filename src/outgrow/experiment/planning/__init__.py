"""What an experiment would take: memory, time and money, by formulas and a few measurements of the machine."""
