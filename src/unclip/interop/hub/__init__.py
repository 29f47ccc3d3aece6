"""A run on the Hugging Face Hub: what is uploaded, and the upload."""
