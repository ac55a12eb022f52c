"""How other Python code plugs in: the shapes of `ssl`, asyncio and their kin over the engine."""
