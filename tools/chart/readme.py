"""Writes charts/robustcert/README.md: what the chart installs, how, and a table of every value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.chart.entry import Entry, all_entries, defaults_of, entries
from tools.chart.part import Part
from tools.chart.render import CHART
from tools.chart.values import Values
from tools.chart.values_yaml import inline, is_shared, part_description

PATH = CHART / "README.md"
HEAD = """\
# The Helm chart robustcert

<!-- Made by tools/chart/readme.py (`make generate`); not edited by hand. -->

Installs what keeps certificates of adversarial robustness true: the exporter of their metrics, the recertification
controller, drift jobs and recertification on a schedule as CronJobs, the compiled pipelines in Kubeflow, alert rules,
monitors and dashboards for Prometheus and Grafana, Alertmanager's route to the controller, network policies, and for
each program a ServiceAccount with no more than it needs. Certificates are made and verified without it.

Kubernetes 1.29 to 1.37. No custom resource definitions are installed; what needs the Prometheus operator, cert-manager
or the External Secrets operator can be switched off.

## Install, upgrade, uninstall

Step by step, with the Secrets that must exist: [docs/install.md](../../docs/install.md). In short, `values.yaml` having
at least `store.uri` and one of `trustedKeys`:

<!-- not run: needs a cluster -->
```console
$ helm install robustcert charts/robustcert --namespace robustcert --values values.yaml
$ helm upgrade robustcert charts/robustcert --namespace robustcert --values values.yaml
$ helm test robustcert --namespace robustcert
$ helm uninstall robustcert --namespace robustcert
```

Uninstalling leaves the controller's volume (its database and audit log), and the next installation of the same name
takes it up. `ci/` has values for a cluster without the Prometheus operator, for multi-user Kubeflow, for one without
internet, and for GPUs.

## Values

Helm refuses a value that does not exist or has a wrong form, and says which name is meant. From a checkout,
`python -m tools.chart.check values.yaml` says so in one line each, before anything is installed. In a name, `[]` is
each item of a list and `*` a name of your own.
"""
NAMES = "### Names, labels, further objects"
ITEMS = "### Items of lists that several programs have"
NOT_GIVEN = "required"


def generated() -> dict[Path, str]:
    """The file and its text."""
    return {PATH: readme()}


def readme() -> str:
    """The whole text."""
    single = [entry for entry in entries(Values) if not entry.part]
    sections = [text for entry in entries(Values) if entry.part for text in _section(entry)]
    return "\n\n".join([HEAD.strip(), NAMES, _table(single), *sections, ITEMS, _table(_shared_items())]) + "\n"


def _section(entry: Entry) -> Iterator[str]:
    yield f"### {entry.name}"
    yield part_description(entry)
    yield _table(_below(entry))


def _below(entry: Entry) -> Iterator[Entry]:
    """The values in a part, and in the items that only it has."""
    for inner in entries(entry.part, path=entry.path, default=entry.default) if entry.part else ():
        yield inner
        yield from _below(inner)
    if entry.item and not is_shared(entry.item):
        yield from _items(entry.item, path=entry.path + entry.below)


def _items(item: type[Part], *, path: str) -> Iterator[Entry]:
    return all_entries(item, path=path, default=defaults_of(item))


def _shared_items() -> Iterator[Entry]:
    """Items of `tolerations` and the like, once."""
    shared = {one.item: one for one in all_entries(Values) if one.item and is_shared(one.item)}
    for item, entry in shared.items():
        if item:
            yield from _items(item, path=entry.name + entry.below)


def _table(rows: Iterable[Entry]) -> str:
    lines = (f"| `{row.path}` | {_default(row)} | {_cell(_words(row))} |" for row in rows)
    return "\n".join(["| value | default | what it is |", "|---|---|---|", *lines])


def _default(row: Entry) -> str:
    """The default; none for a part, whose values have theirs."""
    if row.required:
        return NOT_GIVEN
    return "" if row.is_filled else f"`{_cell(inline(row.default))}`"


def _words(row: Entry) -> str:
    return part_description(row) if row.is_filled else row.description


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
