"""The chapters: one module for each subject of the standard, found by `sttp_conformance.checks.load_checks`."""
