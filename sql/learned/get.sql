SELECT report, model FROM learned WHERE id = 1
