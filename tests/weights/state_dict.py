#!/usr/bin/env python3
"""The files that tests/weights reads, written by PyTorch; and a check, by PyTorch, of a file that this crate wrote.

    python3 state_dict.py write        # torch, Keras's layouts, f16, bf16 and f64 beside this script
    python3 state_dict.py check FILE   # loads FILE strictly into the same module and compares what it computes

Needs torch and safetensors. Outputs are computed in float64.
"""

import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

HERE = pathlib.Path(__file__).parent


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, (3, 2), bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 8, (2, 3), groups=4)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Tanh())
        self.up = nn.ConvTranspose2d(8, 3, (2, 3), stride=(2, 3))
        self.fc = nn.Linear(108, 5)

    def forward(self, x):  # [N, 2, 7, 9]
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.tanh(self.depthwise(x))
        x = nn.functional.max_pool2d(x + self.block(x), 2)
        x = torch.nn.functional.silu(self.up(x))
        return self.fc(x.flatten(1))


def exactly(module, x):
    """Outputs in float64 of the weights that the module has."""
    return module.double().eval()(x.double()).detach()


def kerass(state):
    """The same numbers under Keras's names and in its layouts."""
    inner = {"weight": "kernel", "bias": "bias"}
    norm = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    renamed = {}
    for name, tensor in state.items():
        layer, part = name.rsplit(".", 1)
        if part == "num_batches_tracked":
            continue
        if name == "depthwise.weight":
            tensor = tensor.reshape(4, 2, 2, 3).permute(2, 3, 0, 1)
        elif name == "fc.weight":
            tensor = tensor.reshape(5, 3, 4, 9).permute(2, 3, 1, 0).reshape(108, 5)
        elif part == "weight" and layer != "bn1":
            tensor = tensor.permute(2, 3, 1, 0)
        parts = norm if layer == "bn1" else inner
        renamed[f"model/{layer.replace('.', '_')}/{parts[part]}"] = tensor.contiguous()
    return renamed


def write():
    torch.manual_seed(7)
    module, x = Network(), torch.randn(16, 2, 7, 9)
    nn.init.uniform_(module.bn1.weight, 0.5, 1.5)
    nn.init.uniform_(module.bn1.bias, -0.5, 0.5)
    # So that the running statistics and num_batches_tracked are those of a trained network.
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(32, 2, 7, 9) * 2 + 0.3)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    outputs = {}
    for name, dtype in [("f32", torch.float32), ("f64", torch.float64), ("f16", torch.float16), ("bf16", torch.bfloat16)]:
        of_type = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
        save_file(of_type, HERE / f"torch_{name}.safetensors")
        module = Network().to(dtype)
        module.load_state_dict(of_type)
        outputs[name] = exactly(module, x)
    save_file(kerass(state), HERE / "keras.safetensors")
    save_file({"inputs": x, **outputs}, HERE / "outputs.safetensors")


def check(path):
    module = Network()
    state = load_file(path)
    state["bn1.num_batches_tracked"] = torch.tensor(0)
    module.load_state_dict(state, strict=True)
    zeros = sum(int((tensor == 0).sum()) for name, tensor in state.items() if name.endswith(".weight"))
    about = load_file(pathlib.Path(path).with_suffix(".outputs.safetensors"))
    want = exactly(module, about["inputs"])
    error = float((about["outputs"] - want).abs().max() / want.abs().max())
    print(f"{zeros} weights are 0; outputs differ by {error:.2e} of the largest")
    if not error < 1e-5:
        sys.exit("the outputs are not PyTorch's")


if sys.argv[1:] == ["write"]:
    write()
elif len(sys.argv) == 3 and sys.argv[1] == "check":
    check(sys.argv[2])
else:
    sys.exit(__doc__)
