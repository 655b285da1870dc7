"""What insight makes of events: pure folds to dated versions, areas and denominators, targets, hidden cells."""
