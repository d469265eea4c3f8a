"""Subscriptions (wire.md 4, 7.2, 9.2, 9.3): Subscribe, what it asks for, its replies, what follows, and Unsubscribe."""
