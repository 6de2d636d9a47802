"""deidpose: face-anonymize videos of moving people and measure what that costs their pose estimation."""

__version__ = "0.1.0"
