"""The beginning of every recipe here."""

HEAD = '[source]\nbucket = "reference-source"\n[processed]\nbucket = "reference-processed"\n'
