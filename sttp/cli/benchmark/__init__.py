"""What `sttp bench` consists of: a scenario, a process for each end of the stream, and what they have noted."""
