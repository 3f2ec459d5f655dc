SELECT kind, state, count FROM tally
