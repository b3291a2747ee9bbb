"""The program of PyTorch: what program.ts describes, in Python. THREADS says on how many threads; the data are those of data.ts."""

import json
import os
import sys
import time

THREADS = int(os.environ.get("THREADS", "1"))
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, str(THREADS))

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(THREADS)


def uniform(count, seed, low=-1.0, high=1.0):
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
        h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        h = h ^ (h >> np.uint32(16))
    return (low + (high - low) * (h.astype(np.float64) / 4294967296.0)).astype(np.float32)


def drawn(shape, seed, low=-1.0, high=1.0):
    return torch.from_numpy(uniform(int(np.prod(shape)), seed, low, high).reshape(shape))


def weights(shape, seed, fan_in):
    s = 1 / np.sqrt(fan_in)
    return drawn(shape, seed, -s, s)


def labels(count, classes, seed):
    u = uniform(count, seed, 0, 1).astype(np.float64)
    return torch.from_numpy(np.minimum(classes - 1, np.floor(u * classes)).astype(np.int64))


def leaves(params):
    return {name: p.requires_grad_(True) for name, p in params.items()}


def dense(x, w, b):
    return torch.addmm(b, x, w)


def training(loss, optimizer):
    losses = []

    def call():
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))

    return call, lambda: losses


def applying(f):
    def check():
        y = f().detach().reshape(-1)
        return [float(y[int(part * (len(y) - 1))]) for part in (0, 0.31, 0.5, 0.77, 1)]

    return f, check


def mlp():
    x, truth = drawn((128, 784), 1, 0, 1), labels(128, 10, 2)
    p = leaves(
        {
            "w1": weights((784, 512), 101, 784),
            "b1": torch.zeros(512),
            "w2": weights((512, 256), 102, 512),
            "b2": torch.zeros(256),
            "w3": weights((256, 10), 103, 256),
            "b3": torch.zeros(10),
        }
    )

    def loss():
        h = F.relu(dense(x, p["w1"], p["b1"]))
        h = F.relu(dense(h, p["w2"], p["b2"]))
        return F.cross_entropy(dense(h, p["w3"], p["b3"]), truth)

    return training(loss, torch.optim.Adam(p.values(), lr=1e-3))


def lenet():
    x, truth = drawn((64, 1, 28, 28), 3, 0, 1), labels(64, 10, 4)
    p = leaves(
        {
            "cw1": weights((6, 1, 5, 5), 201, 25),
            "cb1": torch.zeros(6),
            "cw2": weights((16, 6, 5, 5), 202, 150),
            "cb2": torch.zeros(16),
            "w1": weights((400, 120), 203, 400),
            "b1": torch.zeros(120),
            "w2": weights((120, 84), 204, 120),
            "b2": torch.zeros(84),
            "w3": weights((84, 10), 205, 84),
            "b3": torch.zeros(10),
        }
    )

    def loss():
        h = F.max_pool2d(F.relu(F.conv2d(x, p["cw1"], p["cb1"], padding=2)), 2)
        h = F.max_pool2d(F.relu(F.conv2d(h, p["cw2"], p["cb2"])), 2).reshape(64, 400)
        h = F.relu(dense(h, p["w1"], p["b1"]))
        h = F.relu(dense(h, p["w2"], p["b2"]))
        return F.cross_entropy(dense(h, p["w3"], p["b3"]), truth)

    return training(loss, torch.optim.SGD(p.values(), lr=0.01, momentum=0.9))


def lstm():
    steps, batch, inputs, hidden, classes = 64, 32, 64, 128, 10
    x, truth = drawn((steps, batch, inputs), 5), labels(batch, classes, 6)
    p = leaves(
        {
            "wx": weights((inputs, 4 * hidden), 301, hidden),
            "wh": weights((hidden, 4 * hidden), 302, hidden),
            "b": torch.zeros(4 * hidden),
            "wo": weights((hidden, classes), 303, hidden),
            "bo": torch.zeros(classes),
        }
    )

    def loss():
        h, c = torch.zeros(batch, hidden), torch.zeros(batch, hidden)
        for t in range(steps):
            i, f, g, o = torch.split(x[t] @ p["wx"] + h @ p["wh"] + p["b"], hidden, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return F.cross_entropy(dense(h, p["wo"], p["bo"]), truth)

    return training(loss, torch.optim.SGD(p.values(), lr=0.1))


def gpt():
    layers, dim, heads, length, batch, symbols = 4, 128, 4, 64, 16, 65
    ids, truth = labels(batch * length, symbols, 7).reshape(batch, length), labels(batch * length, symbols, 8)
    p = {
        "wte": weights((symbols, dim), 401, 1000),
        "wpe": weights((length, dim), 402, 1000),
        "lnfg": torch.ones(dim),
        "lnfb": torch.zeros(dim),
        "head": weights((dim, symbols), 403, dim),
    }
    for layer in range(layers):
        seed = 410 + 10 * layer
        block = {
            "ln1g": torch.ones(dim),
            "ln1b": torch.zeros(dim),
            "qkvw": weights((dim, 3 * dim), seed, dim),
            "qkvb": torch.zeros(3 * dim),
            "projw": weights((dim, dim), seed + 1, dim),
            "projb": torch.zeros(dim),
            "ln2g": torch.ones(dim),
            "ln2b": torch.zeros(dim),
            "fcw": weights((dim, 4 * dim), seed + 2, dim),
            "fcb": torch.zeros(4 * dim),
            "fc2w": weights((4 * dim, dim), seed + 3, 4 * dim),
            "fc2b": torch.zeros(dim),
        }
        p.update({f"{layer}.{name}": value for name, value in block.items()})
    p = leaves(p)
    mask = torch.full((length, length), float("-inf")).triu(1)
    scale = (dim // heads) ** -0.5

    def loss():
        x = F.embedding(ids, p["wte"]) + p["wpe"]
        for layer in range(layers):
            q = lambda name: p[f"{layer}.{name}"]
            h = F.layer_norm(x, (dim,), q("ln1g"), q("ln1b"))
            split = (h @ q("qkvw") + q("qkvb")).split(dim, -1)
            query, key, value = [part.reshape(batch, length, heads, dim // heads).transpose(1, 2) for part in split]
            seen = F.softmax(query @ key.transpose(-1, -2) * scale + mask, -1) @ value
            x = x + seen.transpose(1, 2).reshape(batch, length, dim) @ q("projw") + q("projb")
            h = F.layer_norm(x, (dim,), q("ln2g"), q("ln2b"))
            x = x + F.gelu(h @ q("fcw") + q("fcb"), approximate="tanh") @ q("fc2w") + q("fc2b")
        x = F.layer_norm(x, (dim,), p["lnfg"], p["lnfb"])
        return F.cross_entropy((x @ p["head"]).reshape(batch * length, symbols), truth)

    return training(loss, torch.optim.Adam(p.values(), lr=1e-3))


def layer_training(layer, x, target, **options):
    def loss():
        y = layer(x, **options)
        return F.mse_loss(y[0] if isinstance(y, tuple) else y, target)

    return training(loss, torch.optim.Adam([p for p in layer.parameters() if p.requires_grad], lr=1e-3))


def put(parameter, value):
    parameter.data.copy_(value)


def conv_block():
    images, size, channels, output, taps = 32, 28, 16, 32, 3
    conv = torch.nn.Conv2d(channels, output, taps, padding=taps // 2)
    put(conv.weight, weights((taps, taps, channels, output), 501, taps * taps * channels).permute(3, 2, 0, 1))
    put(conv.bias, torch.zeros(output))
    layer = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(output), torch.nn.ReLU()).train()
    x, target = drawn((images, size, size, channels), 51), drawn((images, size, size, output), 52)
    return layer_training(layer, x.permute(0, 3, 1, 2).contiguous(), target.permute(0, 3, 1, 2).contiguous())


def put_attention(attention, size):
    put(attention.in_proj_weight, torch.cat([weights((size, size), seed, size).T for seed in (511, 512, 513)]))
    put(attention.out_proj.weight, weights((size, size), 514, size).T)
    for bias in (attention.in_proj_bias, attention.out_proj.bias):
        put(bias, torch.zeros_like(bias))


def encoder_block():
    batch, length, size, heads, units = 16, 64, 128, 4, 512
    layer = torch.nn.TransformerEncoderLayer(size, heads, units, dropout=0, batch_first=True).train()
    put_attention(layer.self_attn, size)
    put(layer.linear1.weight, weights((size, units), 515, size).T)
    put(layer.linear2.weight, weights((units, size), 516, units).T)
    for dense in (layer.linear1, layer.linear2):
        put(dense.bias, torch.zeros_like(dense.bias))
    return layer_training(layer, drawn((batch, length, size), 53), drawn((batch, length, size), 54))


def attention():
    batch, length, size, heads = 16, 64, 128, 4
    layer = torch.nn.MultiheadAttention(size, heads, batch_first=True)
    put_attention(layer, size)
    x, target = drawn((batch, length, size), 53), drawn((batch, length, size), 54)
    mask = torch.full((length, length), float("-inf")).triu(1)
    call = lambda: F.mse_loss(layer(x, x, x, attn_mask=mask, need_weights=False)[0], target)
    return training(call, torch.optim.Adam(layer.parameters(), lr=1e-3))


def recurrent(kind, gates):
    def prepare():
        batch, length, inputs, hidden = 32, 64, 64, 128
        layer = kind(inputs, hidden, batch_first=True)
        put(layer.weight_ih_l0, weights((inputs, gates * hidden), 521, hidden).T)
        put(layer.weight_hh_l0, weights((hidden, gates * hidden), 522, hidden).T)
        for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
            put(bias, torch.zeros_like(bias))
        # Of two biases that are added, one is trained: else their sum would learn twice as fast.
        trained = torch.zeros(gates * hidden)
        if gates == 3:
            trained[2 * hidden :] = 1
        layer.bias_hh_l0.register_hook(lambda gradient: gradient * trained)
        return layer_training(layer, drawn((batch, length, inputs), 55), drawn((batch, length, hidden), 56))

    return prepare


def adam_1m():
    p = leaves({str(i): drawn((256, 256), 530 + i) for i in range(16)})
    return training(lambda: sum((w * w).sum() for w in p.values()) / 2, torch.optim.Adam(p.values(), lr=1e-3))


def product(m, k, n, transposed="none"):
    def prepare():
        a = drawn((k, m) if transposed == "a" else (m, k), 11)
        b = drawn((n, k) if transposed == "b" else (k, n), 12)
        return applying(lambda: (a.T if transposed == "a" else a) @ (b.T if transposed == "b" else b))

    return prepare


def convolution(images, channels, size, taps, output):
    def prepare():
        x = drawn((images, channels, size, size), 13)
        w = weights((output, channels, taps, taps), 14, channels * taps * taps)
        return applying(lambda: F.conv2d(x, w, padding=taps // 2))

    return prepare


def elementwise(f):
    def prepare():
        x, w, b = drawn((4096, 1024), 21, -2, 2), drawn((1024,), 22), drawn((1024,), 23)
        return applying(lambda: f(x, w, b))

    return prepare


def chain(x, w, b):
    return torch.tanh(x * w + b) * torch.sigmoid(x)


def chain_gradient(x, w, b):
    leaf = x.detach().requires_grad_(True)
    chain(leaf, w, b).sum().backward()
    return leaf.grad


def eager_add8():
    a, b = drawn((8,), 31), drawn((8,), 32)
    return applying(lambda: a + b)


def jit_tiny():
    a, b = drawn((8,), 31), drawn((8,), 32)
    traced = torch.jit.trace(lambda x, y: x * 2 + y, (a, b))
    return applying(lambda: traced(a, b))


TASKS = {
    "mlp": mlp,
    "lenet": lenet,
    "lstm": lstm,
    "gpt": gpt,
    "conv_block": conv_block,
    "encoder_block": encoder_block,
    "attention": attention,
    "gru_layer": recurrent(torch.nn.GRU, 3),
    "lstm_layer": recurrent(torch.nn.LSTM, 4),
    "adam_1m": adam_1m,
    "matmul_128": product(128, 128, 128),
    "matmul_256": product(256, 256, 256),
    "matmul_512": product(512, 512, 512),
    "matmul_1024": product(1024, 1024, 1024),
    "matmul_2048": product(2048, 2048, 2048),
    "matmul_128x784x512": product(128, 784, 512),
    "matmul_512_ATB": product(512, 512, 512, "a"),
    "matmul_512_ABT": product(512, 512, 512, "b"),
    "matmul_1024_ATB": product(1024, 1024, 1024, "a"),
    "matmul_1024_ABT": product(1024, 1024, 1024, "b"),
    "conv_5x5": convolution(64, 16, 28, 5, 32),
    "conv_3x3": convolution(8, 64, 56, 3, 64),
    "ew_chain": elementwise(chain),
    "ew_sum": elementwise(lambda x, w, b: chain(x, w, b).sum()),
    "ew_grad": elementwise(chain_gradient),
    "softmax": elementwise(lambda x, w, b: F.softmax(x, -1)),
    "layernorm": elementwise(lambda x, w, b: F.layer_norm(x, (1024,), w, b, 1e-5)),
    "eager_add8": eager_add8,
    "jit_tiny": jit_tiny,
}


def timed(call, calls, ms, batch):
    times = []
    end = time.perf_counter() + ms / 1e3
    while not times or (len(times) < calls and time.perf_counter() < end):
        start = time.perf_counter()
        for _ in range(batch):
            call()
        times.append((time.perf_counter() - start) * 1e3 / batch)
    return times


def answer(message):
    print(json.dumps(message), flush=True)


def serve():
    if sys.argv[1] not in TASKS:
        answer({"cannot": "there is no such workload"})
        return
    call, check = TASKS[sys.argv[1]]()
    answer({"ready": {"version": torch.__version__, "threads": THREADS, "relaxed": None}})
    for line in sys.stdin:
        request = json.loads(line)
        if "end" in request:
            answer({"check": check()})
            return
        answer({"times": timed(call, request["calls"], request["ms"], request["batch"])})


serve()
