"""Networks of a run as ONNX graphs: written, compared with torch's, timed."""
