"""Decoders as a fuzzer feeds them, and the real messages that its inputs grow from."""
