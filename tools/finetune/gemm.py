"""Prints the speed of numpy's products of the sizes of BenchmarkGEMM, on one core:

    OPENBLAS_NUM_THREADS=1 python gemm.py
"""

import time

import numpy as np

rng = np.random.default_rng(1)
for m, k, n in ((128, 384, 1536), (128, 1536, 384), (128, 384, 384)):
    a, b, c = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32), np.empty((m, n), np.float32)
    times, wall, start, cpu = 0, 0.0, time.perf_counter(), time.process_time()
    while wall < 2:
        np.matmul(a, b, out=c)
        times, wall = times + 1, time.perf_counter() - start
    operations = 2e-9 * m * k * n * times
    print(f"{m}x{k}x{n}: {operations / wall:.1f} GFLOP/s, {operations / (time.process_time() - cpu):.1f} GFLOP/cpu-s")
