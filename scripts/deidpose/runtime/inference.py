"""Compile networks for the one runtime, OpenVINO, which reads ONNX and TFLite files alike."""

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# OpenVINO's telemetry package sends usage data unless a file in the home directory says no. With its import
# refused, OpenVINO falls back to a stand-in of its own that sends nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402
import openvino.preprocess  # noqa: E402

# OpenVINO makes its tables of NumPy types when it first needs them, and two threads that first need them at the same
# time wait for each other for ever. So they are made here.
_ = openvino.Tensor(np.zeros(1, np.uint8), shared_memory=True).data

#: A network ready to run: arrays in the order of its inputs -> arrays in the order of its outputs.
Network = Callable[..., list[np.ndarray]]


def compile_network(
    path: str | Path,
    shape: tuple[int, ...] | None = None,
    threads: int = 1,
    precision: str = "f32",
    outputs: Sequence[int] | None = None,
    pictures: bool = False,
) -> Network:
    """Read a model file and compile it for this CPU.

    Parameters
    ----------
    path : path
        An ``.onnx`` or ``.tflite`` file.
    shape : tuple of int, optional
        The shape of its one input, where it differs from the file's own.
    threads : int
        How many threads may run the network at the same time; others wait. Each inference has one, so that the
        numbers do not depend on how many there are. Each takes memory of its own for what the network computes.
    precision : {"f32", "bf16"}
        Arithmetic. Set explicitly, because on CPUs with AMX the plugin's own default is bf16 and results would
        differ from machine to machine.
    outputs : sequence of int, optional
        The outputs that are needed, where not all are: what only the others need is not computed.
    pictures : bool
        Whether its one input, (1, channels, height, width), is given as a picture: (1, height, width, channels), uint8.

    Returns
    -------
    callable
        Takes one array per input, returns a list of arrays, one per output, valid until the same thread calls it again.
    """
    core = openvino.Core()
    model = core.read_model(str(path))
    if shape is not None:
        model.reshape(list(shape))
    if outputs is not None:
        model = openvino.Model([model.outputs[index] for index in outputs], model.get_parameters())
    if pictures:
        steps = openvino.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        model = steps.build()
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        # Pinned, the single threads of two jobs on one machine would share its first core.
        "ENABLE_CPU_PINNING": False,
    }
    compiled = core.compile_model(model, "CPU", settings)
    requests = threading.local()
    results = range(len(model.outputs))

    def run(*inputs: np.ndarray) -> list[np.ndarray]:
        if not hasattr(requests, "own"):
            requests.own = compiled.create_infer_request()
        requests.own.infer(list(inputs), share_inputs=True)
        return [requests.own.get_output_tensor(index).data for index in results]

    return run


def input_shape(path: str | Path) -> tuple[int, ...]:
    """Return the shape of the one input of a model file, with -1 for every length that the file leaves open."""
    (shape,) = (given.partial_shape for given in openvino.Core().read_model(str(path)).inputs)
    return tuple(-1 if length.is_dynamic else length.get_length() for length in shape)
