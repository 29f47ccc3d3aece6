"""Who works when: a fair queue of jobs, run side by side, what their networks are asked for joined to batches."""
