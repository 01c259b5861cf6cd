"""PyTorch on the rows of this benchmark, on one thread: plain forward and backward pass, HesScale written by hand, and
BackPACK's DiagGGNMC and DiagHessian where it is installed. Steps take turns; ratios of medians to the plain step.

    python torch_peers.py [--rounds N] [--only SUBSTRING] [--threads N] [--check]

HesScale by hand keeps, beside the gradient g of each layer's outputs, the estimate h of their second derivatives:

    loss      h = (p - p²) / N                                exact diagonal for softmax cross-entropy, mean over N
    f         h ← h f'(a)² + g f''(a)
    dense     of the weight: hᵀ x²,  of the bias: Σ h,         below: h W²
    conv      the same products, with squared inputs and squared kernels
    max pool  h goes where the maximum came from

`--check` compares it with exact second derivatives on a network of one layer, where it is exact, and then with a mistake
planted, which must be found.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.grad import conv2d_input, conv2d_weight


def mlp(*widths):
    layers = []
    for ends in zip(widths, widths[1:]):
        layers += [nn.Linear(*ends), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def three_convolutions():
    layers = []
    for ends, kernel in zip([(3, 64), (64, 96), (96, 128)], [5, 3, 3]):
        layers += [nn.Conv2d(*ends, kernel), nn.ELU(), nn.MaxPool2d(3, 2)]
    dense = [nn.Linear(128, 512), nn.ELU(), nn.Linear(512, 256), nn.ELU(), nn.Linear(256, 10)]
    return nn.Sequential(*layers, nn.Flatten(), *dense)


ROWS = [
    ("784-512-512-10 tanh", 32, lambda: mlp(784, 512, 512, 10), (784,)),
    ("784-512-512-10 tanh", 128, lambda: mlp(784, 512, 512, 10), (784,)),
    ("784-1024x4-10 tanh", 128, lambda: mlp(784, 1024, 1024, 1024, 1024, 10), (784,)),
    ("CIFAR-10 3C3D elu", 32, three_convolutions, (3, 32, 32)),
]


def plain(model, x, y):
    for p in model.parameters():
        p.grad = None
    F.cross_entropy(model(x), y).backward()


def derivatives(layer, before, after):
    """f' and f'' of an activation, from its input and output."""
    if isinstance(layer, nn.Tanh):
        first = 1 - after * after
        return first, -2 * after * first
    positive = before > 0
    exponential = after + 1  # of an ELU with alpha = 1, where it is not the identity
    return torch.where(positive, 1.0, exponential), torch.where(positive, 0.0, exponential)


@torch.no_grad()
def hesscale(model, x, y):
    """Sets `grad` and `hesscale` of every parameter: one pass forward, one backward, no autograd."""
    values, places = [x], []
    for layer in model:
        place = None
        if isinstance(layer, nn.MaxPool2d):
            out, place = F.max_pool2d(values[-1], layer.kernel_size, layer.stride, return_indices=True)
        else:
            out = layer(values[-1])
        values.append(out)
        places.append(place)
    count = len(y)
    p = values[-1].softmax(1)
    h = (p - p * p) / count
    g = p.clone()
    g[torch.arange(count), y] -= 1
    g /= count
    for index in reversed(range(len(model))):
        layer, before, after, bottom = model[index], values[index], values[index + 1], index == 0
        if isinstance(layer, nn.Linear):
            layer.weight.grad, layer.weight.hesscale = g.T @ before, h.T @ before.square()
            layer.bias.grad, layer.bias.hesscale = g.sum(0), h.sum(0)
            if not bottom:
                g, h = g @ layer.weight, h @ layer.weight.square()
        elif isinstance(layer, nn.Conv2d):
            shape = layer.weight.shape
            layer.weight.grad = conv2d_weight(before, shape, g)
            layer.weight.hesscale = conv2d_weight(before.square(), shape, h)
            layer.bias.grad, layer.bias.hesscale = g.sum((0, 2, 3)), h.sum((0, 2, 3))
            if not bottom:
                g = conv2d_input(before.shape, layer.weight, g)
                h = conv2d_input(before.shape, layer.weight.square(), h)
        elif isinstance(layer, nn.Flatten):
            g, h = g.view(before.shape), h.view(before.shape)
        elif isinstance(layer, nn.MaxPool2d):
            # Windows overlap: an element may be the maximum of several.
            def spread(signal):
                below = torch.zeros(before.shape).flatten(2)
                return below.scatter_add_(2, places[index].flatten(2), signal.flatten(2)).view(before.shape)

            g, h = spread(g), spread(h)
        else:
            first, second = derivatives(layer, before, after)
            g, h = g * first, h * first.square() + g * second


def backpack_steps(make):
    """Names and steps of BackPACK's extensions on models of their own; none where it is not installed."""
    try:
        import backpack
        from backpack.extensions import DiagGGNMC, DiagHessian
    except ImportError:
        return []

    def step(extension):
        model, loss = backpack.extend(make()), backpack.extend(nn.CrossEntropyLoss())

        def run(x, y):
            for p in model.parameters():
                p.grad = None
            with backpack.backpack(extension()):
                loss(model(x), y).backward()

        return run

    return [("DiagGGNMC", step(DiagGGNMC)), ("DiagHessian", step(DiagHessian))]


def measure(steps, x, y, rounds):
    """Medians in milliseconds, steps taking turns. One that is not supported for a network is left out."""
    usable = []
    for name, step in steps:
        try:
            for _ in range(3):
                step(x, y)
            usable.append((name, step, []))
        except (NotImplementedError, RuntimeError) as error:
            print(f"  {name}: left out ({error})")
    for _ in range(rounds):
        for _, step, times in usable:
            start = time.perf_counter()
            step(x, y)
            times.append(1e3 * (time.perf_counter() - start))
    return [(name, statistics.median(times)) for name, _, times in usable]


def relative(got, want):
    return ((got - want).abs().max() / want.abs().max()).item()


def check():
    """The gradient against autograd on every row's network; the diagonal against exact second derivatives."""
    torch.manual_seed(0)
    for name, _, make, shape in ROWS:
        model, x, y = make(), torch.rand(4, *shape), torch.arange(4)
        plain(model, x, y)
        want = [p.grad for p in model.parameters()]
        hesscale(model, x, y)
        worst = max(relative(p.grad, w) for p, w in zip(model.parameters(), want))
        print(f"{name}: gradient within {worst:.1e}")
        assert worst < 1e-4, name
    model, x, y = nn.Sequential(nn.Linear(5, 3)), torch.rand(4, 5), torch.tensor([0, 1, 2, 0])
    hesscale(model, x, y)
    weight, bias = model[0].weight.detach(), model[0].bias.detach()
    of_weight = lambda w: F.cross_entropy(F.linear(x, w.view(3, 5), bias), y)
    exact = torch.autograd.functional.hessian(of_weight, weight.flatten()).diagonal().view(3, 5)
    right = relative(model[0].weight.hesscale, exact)
    planted = relative(1.01 * model[0].weight.hesscale, exact)
    print(f"diagonal within {right:.1e}; with 1 % planted {planted:.1e}")
    assert right < 1e-5 < 1e-3 < planted


def main():
    parser = argparse.ArgumentParser(description="PyTorch's steps, on the processor")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="compare the formulas with autograd, and stop")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.check:
        return check()
    device = f"the processor, {arguments.threads} threads, PyTorch {torch.__version__}"
    print(f"device: {device}; medians; ratio: over plain")
    print(f"{'workload':32} {'step':16} {'ms':>9} {'ratio':>6}")
    for name, batch, make, shape in ROWS:
        name = f"{name}, batch {batch}"
        if arguments.only not in name:
            continue
        torch.manual_seed(1)
        x, y = torch.rand(batch, *shape), torch.arange(batch) % 10
        first, second = make(), make()
        steps = [("plain", lambda x, y: plain(first, x, y))]
        steps += [("HesScale by hand", lambda x, y: hesscale(second, x, y))]
        times = measure(steps + backpack_steps(make), x, y, arguments.rounds)
        for step, ms in times:
            print(f"{name:32} {step:16} {ms:9.2f} {ms / times[0][1]:6.2f}")


if __name__ == "__main__":
    main()
