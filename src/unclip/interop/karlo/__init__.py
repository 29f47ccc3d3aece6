"""unCLIP as `diffusers` keeps it (Karlo, Kakao Brain 2022): an `UnCLIPPipeline` folder becomes the parts of a run."""
