"""Curvature in PyTorch beside PyTorch's own forward and backward pass: one CPU thread, medians of ratios of
steps that take turns.

    python torch_peers.py [--quick] [--exact] [--only SUBSTRING]

Needs torch; BackPACK's columns (DiagGGNMC, DiagHessian) appear where `backpack` can be imported. "by hand" is HesScale
written with torch's own functions, forward and backward in one go: the networks' g and h by the rules of HesScale, no
hooks and no graph. Its gradient is checked against autograd's before it is timed; its diagonal is not.
"""

import argparse
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

try:
    from backpack import backpack, extend
    from backpack.extensions import DiagGGNMC, DiagHessian
except ImportError:
    backpack = None


def mlp(*sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def three_convolutions():
    stage = lambda i, o, k: [nn.Conv2d(i, o, k), nn.ELU(), nn.MaxPool2d(3, 2)]
    dense = [nn.Linear(128, 512), nn.ELU(), nn.Linear(512, 256), nn.ELU(), nn.Linear(256, 10)]
    convolutions = stage(3, 64, 5) + stage(64, 96, 3) + stage(96, 128, 3)
    return nn.Sequential(*convolutions, nn.Flatten(), *dense)


ROWS = [
    ("784-512-512-10 tanh", lambda: mlp(784, 512, 512, 10), (784,), 32),
    ("784-512-512-10 tanh", lambda: mlp(784, 512, 512, 10), (784,), 128),
    ("784-1024x4-10 tanh", lambda: mlp(784, 1024, 1024, 1024, 1024, 10), (784,), 128),
    ("CIFAR-10 3C3D elu", three_convolutions, (3, 32, 32), 32),
]


def derivatives(layer, a, z):
    """f' and f'' from the activation's input and output."""
    if isinstance(layer, nn.Tanh):
        first = 1 - z * z
        return first, -2 * z * first
    below = a <= 0
    return torch.where(below, z + 1, 1.0), torch.where(below, z + 1, 0.0)


@torch.no_grad()
def by_hand(model, x, classes):
    """Gradient and HesScale diagonal of every parameter, in the order of model.parameters()."""
    kept = []
    for layer in model:
        before = x
        if isinstance(layer, nn.MaxPool2d):
            x, where = F.max_pool2d(x, layer.kernel_size, layer.stride, return_indices=True)
        else:
            x, where = layer(x), None
        kept.append((layer, before, x, where))
    p = torch.softmax(x, 1)
    n = len(classes)
    g, h = (p - F.one_hot(classes, p.shape[1])) / n, (p - p * p) / n
    found = []
    for index, (layer, a, z, where) in reversed(list(enumerate(kept))):
        if isinstance(layer, nn.Linear):
            found += [(g.sum(0), h.sum(0)), (g.T @ a, h.T @ (a * a))]
            if index:
                g, h = g @ layer.weight, h @ (layer.weight**2)
        elif isinstance(layer, nn.Conv2d):
            w = layer.weight
            found += [(g.sum((0, 2, 3)), h.sum((0, 2, 3)))]
            found += [(conv2d_weight(a, w.shape, g), conv2d_weight(a * a, w.shape, h))]
            if index:
                g, h = conv2d_input(a.shape, w, g), conv2d_input(a.shape, w * w, h)
        elif isinstance(layer, nn.MaxPool2d):
            # Windows overlap: what several of them took adds up.
            at = where.flatten(2)
            scatter = lambda s: torch.zeros_like(a).flatten(2).scatter_add_(2, at, s.flatten(2)).view_as(a)
            g, h = scatter(g), scatter(h)
        elif isinstance(layer, nn.Flatten):
            g, h = g.view_as(a), h.view_as(a)
        else:
            first, second = derivatives(layer, a, z)
            g, h = first * g, first * first * h + second * g
    return found[::-1]


def plain(model, loss, x, classes):
    model.zero_grad()
    loss(model(x), classes).backward()


def with_backpack(extension):
    def step(model, loss, x, classes):
        model.zero_grad()
        with backpack(extension()):
            loss(model(x), classes).backward()

    return step


def check(model, loss, x, classes):
    plain(model, loss, x, classes)
    for parameter, (g, _) in zip(model.parameters(), by_hand(model, x, classes), strict=True):
        error = (parameter.grad - g).abs().max() / parameter.grad.abs().max()
        if not error < 1e-4:
            raise SystemExit(f"the gradient by hand is off by {error:.1e}")


def seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(step, base, about):
    """Medians of steps that take turns, base first: milliseconds of both, and ratios of each to the base step before it."""
    for _ in range(2):
        one = seconds(base) + seconds(step)
    pairs = [(seconds(base), seconds(step)) for _ in range(max(5, min(101, int(about / one))))]
    base_ms, own_ms = (1e3 * statistics.median(times) for times in zip(*pairs))
    return base_ms, own_ms, statistics.median(own / base for base, own in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: rougher figures")
    parser.add_argument("--only", default="", help="only rows with this in their name")
    parser.add_argument("--exact", action="store_true", help="also BackPACK's DiagHessian: seconds a step")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__}, one thread; BackPACK: {'yes' if backpack else 'no'}\n")
    print("| network | batch | program | plain ms | its ms | over plain |\n|---|---|---|---|---|---|")
    for name, make, shape, batch in ROWS:
        if options.only not in f"{name}, batch {batch}":
            continue
        model, loss = make(), nn.CrossEntropyLoss()
        x, classes = torch.rand(batch, *shape), torch.arange(batch) % 10
        check(model, loss, x, classes)
        programs = [("HesScale by hand", lambda: by_hand(model, x, classes))]
        if backpack:
            extended, extended_loss = extend(make()), extend(nn.CrossEntropyLoss())
            known = [DiagGGNMC, DiagHessian] if options.exact else [DiagGGNMC]
            for extension in known:
                step = with_backpack(extension)
                own = lambda step=step: step(extended, extended_loss, x, classes)
                programs.append((f"BackPACK {extension.__name__}", own))
        for program, step in programs:
            base, own, ratio = measure(step, lambda: plain(model, loss, x, classes), 0.5 if options.quick else 5)
            print(f"| {name} | {batch} | {program} | {base:.2f} | {own:.2f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
