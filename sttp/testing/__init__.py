"""What authors of plugins test with; `sttp.testing.transport` is the kit for transports. Nothing else imports it."""
