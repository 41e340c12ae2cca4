"""When trucks get there: the graph, the traffic engine, forecasts and scenarios."""
