"""From a request to studies and their units: what is asked for is resolved, planned and searched."""
