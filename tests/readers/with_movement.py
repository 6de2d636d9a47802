"""Open a netCDF with movement, check and use it as movement does, and keep what was read.

Runs in .venv-readers: python with_movement.py file.nc read.npz
"""

import sys

import numpy as np
import xarray as xr
from movement.filtering import filter_by_confidence, interpolate_over_time
from movement.kinematics import compute_velocity
from movement.napari.convert import ds_to_napari_layers
from movement.validators.datasets import ValidPosesInputs

# As movement's own loader does (_load_netcdf_file in napari/loader_widgets.py): movement 0.15 has no other one for
# netCDF.
poses = xr.open_dataset(sys.argv[1])
ValidPosesInputs.validate(poses)
# What movement builds from the same arrays must have the same dimensions, coordinates and attributes.
built = ValidPosesInputs(
    position_array=poses.position.to_numpy(),
    confidence_array=poses.confidence.to_numpy(),
    individual_names=poses.individuals.to_numpy().tolist(),
    keypoint_names=poses.keypoints.to_numpy().tolist(),
    fps=poses.attrs["fps"],
    source_software=poses.attrs["source_software"],
).to_dataset()
points, _, properties = ds_to_napari_layers(poses[["position", "confidence"]])
with_angles, _, _ = ds_to_napari_layers(poses)
np.savez(
    sys.argv[2],
    time=poses.time,
    position=poses.position,
    confidence=poses.confidence,
    degrees=poses.degrees,
    angles=poses.angles.to_numpy().astype(str),
    individuals=poses.individuals.to_numpy().astype(str),
    keypoints=poses.keypoints.to_numpy().astype(str),
    velocity=compute_velocity(poses.position),
    kept=filter_by_confidence(poses.position, poses.confidence, threshold=0.5),
    filled=interpolate_over_time(poses.position),
    points=points,
    points_with_angles=with_angles,
    point_times=properties["time"],
    same_attributes=built.attrs == poses.attrs,
    same_dimensions=all(built[name].dims == poses[name].dims for name in ("position", "confidence")),
    same_coordinates=all(
        built[name].to_numpy().tolist() == poses[name].to_numpy().tolist()
        for name in ("space", "keypoints", "individuals")
    ),
)
