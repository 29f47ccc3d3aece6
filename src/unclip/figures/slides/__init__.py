"""Slides: what stands on one (`slide`), where (`layout`), as a PNG (`paint`) and in a deck of HTML (`deck`)."""
