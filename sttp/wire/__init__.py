"""Bytes to messages and back, in pure functions (wire.md 1 to 8 and appendix A).

Read downwards: `frame` cuts the stream, `commands` and `responses` are what frames say, and the other modules are
what their payloads hold. Every message is declared once with construct; nothing of construct leaves this package.
"""
