"""Pure words and rules that every service shares; no effects, no clock, no database."""
