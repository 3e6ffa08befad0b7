from hypothesis import HealthCheck, settings

# A machine that others share is slow at times; that is no fault of what is tested.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
