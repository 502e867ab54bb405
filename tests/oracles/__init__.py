"""Real Keras as the oracle: tables of cases, and the code that compares."""
