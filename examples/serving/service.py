"""From a request's body to a response's: what the example serves, apart from HTTP.

Plain and smoothed answers in the Open Inference Protocol, version 2, and smoothed ones for `instances` as in KServe's
version 1. Every request is counted. Shapes: B rows, R raw values of a row, D coordinates of the model's input.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.serving.served_model import ServedModel
from robustcert.drift.reference import margins
from robustcert.drift.stream.observe import Answer, Observer, answer_of_votes, answers_of_logits, observe, usable_id
from robustcert.drift.stream.open_inference import InferenceRequest, input_rows, parse_request
from robustcert.errors import DataError, ModelError, expected
from robustcert.smoothing.predict import Prediction

MOST_ROWS, MOST_SMOOTHED_ROWS = 1024, 32
FAILED = "expected a finite answer of the model, got none; its input is in no bin, and counted as failed"

Float64 = NDArray[np.float64]
Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Headers of a request: the id of its CloudEvent, and the segment it belongs to; "" where there is none."""

    event_id: str = ""
    segment: str = ""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Status, body, and the id that the payload log holds."""

    status: int
    body: Body
    event_id: str


class RefusedError(Exception):
    """A request that can't be answered: the status, and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Service:
    """Answers for one certified model."""

    def __init__(self, model: ServedModel, observer: Observer, *, certificate_sha256: str, unit: str) -> None:
        self.model, self.observer = model, observer
        self.certificate, self.unit = certificate_sha256[:12], unit

    def infer(self, body: bytes, *, caller: Caller) -> Reply:
        """Version 2: logits and class of each row; the smoothed answer where `parameters.smoothed` is true."""

        def answered(event_id: str, request: InferenceRequest) -> Body:
            segment = caller.segment or _text(request.parameters.get("segment"))
            raw_BR = self._rows(input_rows(request, self.observer.rows), event_id=event_id, segment=segment)
            if request.parameters.get("smoothed") is True:
                found = self._smoothed(raw_BR, event_id=event_id, segment=segment)
                outputs, parameters = self._smoothed_tensors(found), self._what()
            else:
                logits_BK = self._plain(raw_BR, event_id=event_id, segment=segment)
                outputs, parameters = self._plain_tensors(logits_BK), {"certificate": self.certificate}
            return {"id": event_id, "parameters": parameters, "outputs": outputs}

        def read() -> tuple[str, InferenceRequest]:
            request = parse_request(body)
            return caller.event_id or request.id, request

        return self._reply(read, answered, caller=caller)

    def infer_smoothed(self, body: bytes, *, caller: Caller) -> Reply:
        """`{"instances": [row, ...]}`: the smoothed answer for each row, or none, and what that means."""

        def answered(event_id: str, instances: Any) -> Body:
            raw_BR = self.observer.rows.read(instances)
            raw_BR = self._rows(raw_BR, event_id=event_id, segment=caller.segment)
            found = self._smoothed(raw_BR, event_id=event_id, segment=caller.segment)
            return {"predictions": [self._prediction(one) for one in found], **self._what()}

        return self._reply(lambda: (caller.event_id, _instances(body)), answered, caller=caller)

    def _reply(self, read: Any, answered: Any, *, caller: Caller) -> Reply:
        started, event_id = time.perf_counter(), usable_id(caller.event_id)
        counters = self.observer.counters
        try:
            given, request = read()
            event_id = usable_id(given)
            name, version = self.observer.reference.name, self.observer.reference.version
            body = {"model_name": name, "model_version": version, **answered(event_id, request)}
            return Reply(status=200, body=body, event_id=event_id)
        except DataError as error:  # counted here: nothing of it could be read as rows
            counters.unanswered("invalid", segment=caller.segment)
            return Reply(status=400, body={"error": str(error)}, event_id=event_id)
        except RefusedError as error:
            return Reply(status=error.status, body={"error": str(error)}, event_id=event_id)
        finally:
            counters.took(time.perf_counter() - started)

    def _rows(self, raw_BR: Float64, *, event_id: str, segment: str) -> Float64:
        """The rows where all of them keep the contract; those that don't are counted, and the request refused."""
        fault = self.observer.rows.fault(raw_BR)
        if fault:
            bad_BR = raw_BR[~self.observer.rows.valid(raw_BR)]
            observe(
                self.observer, bad_BR, [Answer(outcome="invalid")] * len(bad_BR), event_id=event_id, segment=segment
            )
            raise RefusedError(422, fault)
        return raw_BR

    def _plain(self, raw_BR: Float64, *, event_id: str, segment: str) -> Float64:
        _refuse_many(len(raw_BR), MOST_ROWS)
        with self._counted_failure(len(raw_BR), segment=segment):
            logits_BK = self.model.logits(self.observer.rows.coordinates(raw_BR))
        observe(self.observer, raw_BR, answers_of_logits(logits_BK), event_id=event_id, segment=segment)
        if not np.isfinite(logits_BK).all():
            raise RefusedError(500, FAILED)
        return logits_BK

    def _smoothed(self, raw_BR: Float64, *, event_id: str, segment: str) -> list[Prediction]:
        _refuse_many(len(raw_BR), MOST_SMOOTHED_ROWS)
        x_BD = self.observer.rows.coordinates(raw_BR)
        with self._counted_failure(len(raw_BR), segment=segment):
            found = self.model.smoothed(x_BD)
            margins_B = margins(self.model.logits(x_BD)).tolist()
        answers = [answer_of_votes(one, margin=margin) for one, margin in zip(found, margins_B, strict=True)]
        observe(self.observer, raw_BR, answers, event_id=event_id, segment=segment)
        return found

    @contextmanager
    def _counted_failure(self, rows: int, *, segment: str) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, ModelError) as error:  # the former is torch's word for whatever goes wrong in a model
            self.observer.counters.unanswered("failed", rows=rows, segment=segment)
            raise RefusedError(500, FAILED) from error

    def _plain_tensors(self, logits_BK: Float64) -> list[Body]:
        labels_B = logits_BK.argmax(axis=1).tolist()
        return [
            _tensor("logits", "FP32", logits_BK.astype(np.float32).ravel().tolist(), shape=logits_BK.shape),
            _tensor("prediction", "INT64", labels_B),
            _tensor("label", "BYTES", [self.observer.reference.classes[label] for label in labels_B]),
        ]

    def _smoothed_tensors(self, found: Sequence[Prediction]) -> list[Body]:
        rows = [self._prediction(one) for one in found]
        return [
            _tensor("label", "BYTES", [row["label"] or "" for row in rows]),
            _tensor("abstained", "BOOL", [row["abstained"] for row in rows]),
            _tensor("radius", "BYTES", [row["radius"] or "0" for row in rows]),
        ]

    def _prediction(self, found: Prediction) -> Body:
        classes = self.observer.reference.classes
        label = None if found.label is None else classes[found.label]
        return {"label": label, "abstained": label is None, "radius": found.radius, "voteShare": found.share}

    def _what(self) -> Body:
        """What a smoothed answer is, in numbers and in words."""
        settings = self.model.settings
        text = (
            f"The smoothed classifier of certificate {self.certificate}: the class that most copies of the input get "
            f"under Gaussian noise of sigma {settings.sigma:g} (unit: {self.unit}), estimated from {settings.n} "
            f"copies. For an input chosen without knowledge of that noise, another class than the exact one is "
            f"answered with probability at most {settings.alpha:g}; where the votes do not decide, there is no "
            f"answer. radius (l2, unit: {self.unit}, rounded down): no change of the input up to that size changes "
            f"the exact class, with confidence {1 - settings.alpha:g}. It does not say that the class is right."
        )
        return {
            "certificate": self.certificate,
            "sigma": f"{settings.sigma:g}",
            "unit": self.unit,
            "alpha": f"{settings.alpha:g}",
            "what": text,
        }


def _instances(body: bytes) -> Any:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError(expected("a JSON body", got="none", remedy="see docs/serving.md")) from error
    if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
        raise DataError(expected("'instances', a list of rows", got="none", remedy="see docs/serving.md"))
    return document["instances"]


def _refuse_many(rows: int, most: int) -> None:
    if rows > most:
        raise DataError(expected(f"at most {most} rows", got=rows, remedy="send them in several requests"))


def _tensor(name: str, datatype: str, data: list[Any], *, shape: Sequence[int] | None = None) -> Body:
    return {"name": name, "shape": list(shape or [len(data)]), "datatype": datatype, "data": data}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
