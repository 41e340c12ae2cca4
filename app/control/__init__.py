"""The minute loop: state, forecast, yard plan, advice."""
