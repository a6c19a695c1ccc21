"""All checks in the order in which they are asked, which is that of a person who reviews a release: what runs, what it
may, what it is connected to, when it runs, what it is called, what it holds.
"""

from __future__ import annotations

from tools.chart.checks.addresses import ADDRESSES
from tools.chart.checks.containers import CONTAINERS
from tools.chart.checks.contents import CONTENTS
from tools.chart.checks.images import IMAGES
from tools.chart.checks.names import NAMES
from tools.chart.checks.network import NETWORK
from tools.chart.checks.pod_security import POD_SECURITY
from tools.chart.checks.programs import PROGRAMS
from tools.chart.checks.quantities import QUANTITIES
from tools.chart.checks.rbac import RBAC
from tools.chart.checks.references import REFERENCES
from tools.chart.checks.release import Check
from tools.chart.checks.schedules import SCHEDULES
from tools.chart.checks.secrets import SECRETS
from tools.chart.checks.volumes import VOLUMES

CHECKS: tuple[Check, ...] = (
    *POD_SECURITY,
    *CONTAINERS,
    *PROGRAMS,
    *IMAGES,
    *QUANTITIES,
    *VOLUMES,
    *SECRETS,
    *RBAC,
    *REFERENCES,
    *NETWORK,
    *ADDRESSES,
    *SCHEDULES,
    *NAMES,
    *CONTENTS,
)
