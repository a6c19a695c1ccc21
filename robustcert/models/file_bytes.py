"""Bytes of model files: read whole, recognised by content, pickles refused under any name. No torch here.

Sources: https://github.com/huggingface/safetensors, README section "Format"; Python's `pickletools` for the protocol
marks; APPNOTE.TXT section 4.3.7 for the zip mark (`torch.save` writes a zip that holds a pickle).
"""

from __future__ import annotations

import json
from pathlib import Path

import safetensors

from robustcert.errors import ModelError, expected

MAX_FILE_BYTES = 2 << 30
MAX_HEADER_BYTES = 16 << 20
PICKLE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
PICKLE_MARKS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
ZIP_MARK = b"PK\x03\x04"
PICKLE_REMEDY = "save its weights with safetensors.torch.save_file(module.state_dict(), 'model.safetensors')"


def read_model_bytes(path: Path) -> bytes:
    """Bytes of a model file; ModelError when it is missing, unreadable, too large, or a pickle under any name."""
    data = _read(path)
    if path.suffix.lower() in PICKLE_SUFFIXES or _is_pickle(data):
        got = f"{path}, which could run code when loaded (pickle)"
        raise ModelError(expected("a safetensors or ONNX file", got=got, remedy=PICKLE_REMEDY))
    return data


def is_safetensors(data: bytes) -> bool:
    """Whether the bytes begin as a safetensors file does: the header's length, then a JSON object of that length."""
    return data[8:9] == b"{" and 8 + int.from_bytes(data[:8], "little") <= len(data)


def safetensors_metadata(data: bytes, *, source: str) -> dict[str, str]:
    """Metadata of safetensors bytes that the safetensors library accepts; ModelError when it does not."""
    length = int.from_bytes(data[:8], "little")
    if not is_safetensors(data) or length > MAX_HEADER_BYTES:
        remedy = "write it with safetensors.torch.save_file"
        raise ModelError(expected("a safetensors file", got=f"other bytes in {source}", remedy=remedy))
    try:
        safetensors.deserialize(data)  # type: ignore[no-untyped-call]  # safetensors ships an untyped stub
    except safetensors.SafetensorError as error:
        got = f"{source}: {error}"
        raise ModelError(expected("a whole safetensors file", got=got, remedy="write or copy it again")) from error
    metadata: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    return metadata


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            remedy = "name an existing safetensors or ONNX file"
            raise ModelError(expected("a model file", got=f"no file at {path}", remedy=remedy))
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            what = f"a model file of at most {MAX_FILE_BYTES} bytes"
            raise ModelError(expected(what, got=f"{size} in {path}", remedy="use a smaller model"))
        return path.read_bytes()
    except OSError as error:
        raise ModelError(expected("a readable model file", got=error, remedy="check its permissions")) from error


def _is_pickle(data: bytes) -> bool:
    return not is_safetensors(data) and data.startswith((*PICKLE_MARKS, ZIP_MARK))
