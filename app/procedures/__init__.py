"""The procedure of each gate, direction and regime: data in versions."""
