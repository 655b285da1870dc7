"""The rules of matching: requests for help and who answers for them, households, duty rosters, workers on call."""
