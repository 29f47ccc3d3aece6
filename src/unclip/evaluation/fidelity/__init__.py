"""Images beside those that they should be: coded, enlarged, filled in; grain, sharpness and seams."""
