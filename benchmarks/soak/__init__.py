"""An endurance run: random requests and failures. It checks every answer, and looks for leaks."""
