"""What is declared of a trip, once, for every agency: form, checks, revisions, import of many, help at the gate."""
