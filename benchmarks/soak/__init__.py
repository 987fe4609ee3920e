"""An endurance run: everything at random, every answer checked, nothing left behind."""
