"""TSSC (wire.md 6.4, tssc.md): what publishers write, and what subscribers decode, follow and survive."""
