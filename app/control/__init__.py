"""Every minute: the state of the corridor becomes a forecast, the forecast a yard plan, both an advice."""
