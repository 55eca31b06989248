"""An experiment: its jobs and the steps each asks for, and those who carry them out, count them or look them up."""
