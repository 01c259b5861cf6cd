"""PyTorch's rows of `discrete.sh`: f32 products without TF32, steps of plain backprop, Adam, and HesScale as published:
every module's formula by PyTorch's own operations, layer by layer. On CUDA where there is one."""

import sys
import time

import torch
import torch.nn.functional as F

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
SMALL = "--small" in sys.argv
CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")


def median(run, repeats=20):
    """Seconds of one run; two do not count."""
    times = []
    for i in range(repeats + 2):
        start = time.perf_counter()
        run()
        if CUDA:
            torch.cuda.synchronize()
        if i >= 2:
            times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def products():
    for size in [256, 512] if SMALL else [2048, 4096]:
        a, b = torch.randn(2, size, size, device=DEVICE)
        out = torch.empty_like(a)
        seconds = median(lambda: torch.mm(a, b, out=out))
        print(f"| {size}³ f32 product, GFLOP/s | {2 * size**3 / seconds / 1e9:.0f} |")


def hesscale(weights, biases, x, target):
    """Gradients and HesScale diagonals of a tanh network under cross-entropy."""
    inputs, outputs = [x], []
    for i, (w, b) in enumerate(zip(weights, biases)):
        outputs.append(torch.addmm(b, inputs[-1], w.t()))
        if i + 1 < len(weights):
            inputs.append(torch.tanh(outputs[-1]))
    p = torch.softmax(outputs[-1], 1)
    n = len(x)
    g = (p - F.one_hot(target, p.shape[1])) / n
    h = (p - p * p) / n
    result = []
    for i in reversed(range(len(weights))):
        z = inputs[i]
        result.append((g.t() @ z, g.sum(0), h.t() @ (z * z), h.sum(0)))
        if i:
            f1 = 1 - z * z
            f2 = -2 * z * f1
            below = g @ weights[i]
            h = f1 * f1 * (h @ (weights[i] * weights[i])) + f2 * below
            g = f1 * below
    return result


def steps():
    rows = [([784, 512, 512, 10], batch) for batch in ([32] if SMALL else [1, 32, 128, 512])]
    rows += [([64, 64, 64, 10], batch) for batch in ([1, 32] if SMALL else [1, 8, 32, 128, 256])]
    for widths, batch in rows:
        layers = []
        for a, b in zip(widths, widths[1:]):
            layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
        net = torch.nn.Sequential(*layers[:-1]).to(DEVICE)
        x = torch.rand(batch, widths[0], device=DEVICE)
        target = torch.arange(batch, device=DEVICE) % widths[-1]
        adam = torch.optim.Adam(net.parameters(), lr=1e-3)

        def plain():
            net.zero_grad(set_to_none=True)
            F.cross_entropy(net(x), target).backward()

        def step():
            plain()
            adam.step()

        linear = net[::2]
        weights, biases = [m.weight.detach() for m in linear], [m.bias.detach() for m in linear]
        curved = lambda: hesscale(weights, biases, x, target)
        plain()
        # What is timed is right: the gradient is autograd's.
        for m, (gradient, *_) in zip(reversed(list(linear)), curved()):
            assert torch.allclose(gradient, m.weight.grad, rtol=1e-3, atol=1e-5)
        times = [1e6 * median(run, 50) for run in (plain, curved, step)]
        name = "-".join(map(str, widths))
        print(f"| {name}, batch {batch}: plain, HesScale, step of Adam, µs | " + ", ".join(f"{t:.0f}" for t in times) + " |")


print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name() if CUDA else 'the CPU'}\n\n| what | measured |\n|---|---|")
products()
steps()
