"""Rights: each is on the list, bound to one program's own account, and used; nothing is a wildcard or a way to more."""

from __future__ import annotations

from collections.abc import Iterator

from tools.chart.checks.release import (
    COMPONENT,
    Check,
    Object,
    Pod,
    Release,
    Wrong,
    labels_of,
    look,
    name_of,
    wrong,
)

ROLES, BINDINGS = ("Role", "ClusterRole"), ("RoleBinding", "ClusterRoleBinding")
ESCALATING = ("escalate", "bind", "impersonate")
READING = ("get", "list", "watch")
KUBEFLOW = "pipelines.kubeflow.org"
# Program, API group, resource, verb: all that a program of ours may be given; docs/permissions.md says why.
ALLOWED = (
    ("exporter", "serving.kserve.io", "inferenceservices", "list"),
    ("exporter", "serving.kserve.io", "inferenceservices", "watch"),
    ("exporter", "apps", "deployments", "list"),
    ("exporter", "apps", "deployments", "watch"),
    ("controller", KUBEFLOW, "pipelines", "get"),
    ("controller", KUBEFLOW, "pipelines", "list"),
    ("controller", KUBEFLOW, "experiments", "create"),
    ("controller", KUBEFLOW, "experiments", "list"),
    ("controller", KUBEFLOW, "runs", "create"),
    ("controller", KUBEFLOW, "runs", "get"),
    ("controller", KUBEFLOW, "runs", "list"),
    ("controller", KUBEFLOW, "runs", "terminate"),
    ("upload", KUBEFLOW, "pipelines", "create"),
    ("upload", KUBEFLOW, "pipelines", "get"),
    ("upload", KUBEFLOW, "pipelines", "list"),
)


def restrict_wildcard_verbs(release: Release) -> Iterator[Wrong]:
    """No role allows every verb."""
    yield from _wildcards(release, "verbs")


def restrict_wildcard_resources(release: Release) -> Iterator[Wrong]:
    """No role is about every resource or every group."""
    for key in ("resources", "apiGroups", "nonResourceURLs"):
        yield from _wildcards(release, key)


def restrict_escalation_verbs_roles(release: Release) -> Iterator[Wrong]:
    """No role lets its holder take further rights."""
    for item, path, rule in _rules(release):
        if found := sorted(set(rule.get("verbs") or ()) & set(ESCALATING)):
            yield wrong(item, f"{path}.verbs", f"none of {', '.join(ESCALATING)}", got=found, remedy="remove it")


def restrict_secret_role_verbs(release: Release) -> Iterator[Wrong]:
    """No role is about Secrets: those that a program needs are mounted."""
    for item, path, rule in _rules(release):
        if "secrets" in [str(resource).split("/")[0] for resource in rule.get("resources") or ()]:
            remedy = "mount the one Secret"
            yield wrong(item, f"{path}.resources", "no Secrets", got=rule.get("verbs"), remedy=remedy)


def rights_are_listed(release: Release) -> Iterator[Wrong]:
    """Every right of a role is on the list of what that program may be given, and is not narrowed by a name in vain."""
    for item, path, rule in _rules(release):
        component = labels_of(item).get(COMPONENT, "")
        for right in _rights(rule):
            if (component, *right) not in ALLOWED:
                remedy = "remove it, or justify it in docs/permissions.md and list it in tools/chart/checks/rbac.py"
                what = f"a right that {component or 'a program'} may have"
                yield wrong(item, path, what, got=" ".join(reversed(right)), remedy=remedy)


def cluster_roles_only_read(release: Release) -> Iterator[Wrong]:
    """What holds in the whole cluster only reads."""
    for item, path, rule in _rules(release):
        if item["kind"] == "ClusterRole" and (found := sorted(set(rule.get("verbs") or ()) - set(READING))):
            remedy = "make a Role in the namespace"
            yield wrong(item, f"{path}.verbs", "only " + ", ".join(READING), got=found, remedy=remedy)


def roles_do_not_aggregate(release: Release) -> Iterator[Wrong]:
    """No role grows by labels of others, nor feeds the cluster's own roles."""
    for item in release.of(*ROLES):
        feeds = [key for key in labels_of(item) if key.startswith("rbac.authorization.k8s.io/aggregate-to")]
        if feeds or item.get("aggregationRule"):
            got = feeds or "an aggregationRule"
            yield wrong(item, "aggregationRule", "rules of its own", got=got, remedy="list the rules")


def restrict_binding_clusteradmin(release: Release) -> Iterator[Wrong]:
    """Nobody is bound to a role of the cluster's own, such as cluster-admin."""
    own = {name_of(item) for item in release.of(*ROLES)}
    for item in release.of(*BINDINGS):
        if (name := look(item, "roleRef").get("name")) not in own:
            yield wrong(item, "roleRef.name", "a role of this release", got=name, remedy="bind that one")


def restrict_binding_system_groups(release: Release) -> Iterator[Wrong]:
    """Rights go to ServiceAccounts: not to users or groups, and to no account called default."""
    for item, path, subject in _subjects(release):
        kind, name = subject.get("kind"), subject.get("name")
        if kind != "ServiceAccount" or name == "default":
            yield wrong(item, path, "a program's own ServiceAccount", got=f"{kind} {name}", remedy="bind that")


def roles_are_bound(release: Release) -> Iterator[Wrong]:
    """Every role is bound in its namespace."""
    bound = {_role_of(release, item) for item in release.of(*BINDINGS)}
    for item in release.of(*ROLES):
        if (item["kind"], name_of(item), _place(release, item)) not in bound:
            yield wrong(item, "metadata.name", "a binding of it", got="none", remedy="bind it, or remove it")


def bindings_are_whole(release: Release) -> Iterator[Wrong]:
    """A binding's role and account are there, and the account is one that a pod of the release has."""
    roles = {(item["kind"], name_of(item), _place(release, item)) for item in release.of(*ROLES)}
    accounts = {(_account(pod), release.namespace_of(pod.owner)) for pod in release.pods}
    for item in release.of(*BINDINGS):
        if _role_of(release, item) not in roles:
            got = " ".join(str(look(item, "roleRef").get(key)) for key in ("kind", "name"))
            yield wrong(item, "roleRef", "a role that is rendered there", got=got, remedy="mend the name")
        if not look(item, "subjects"):
            yield wrong(item, "subjects", "a ServiceAccount", got="nobody", remedy="bind it, or remove it")
    for item, path, subject in _subjects(release):
        who = (subject.get("name"), subject.get("namespace"))
        if who not in accounts:
            got = f"{who[0]} in {who[1]}"
            yield wrong(item, path, "the account of a pod that is rendered", got=got, remedy="mend name or namespace")


def accounts_are_apart(release: Release) -> Iterator[Wrong]:
    """No two programs share an account, unless the values name one for both; none is called default."""
    seen: dict[str, str] = {}
    for pod in release.pods:
        account, component = _account(pod), pod.component
        made = release.find("ServiceAccount", account, namespace=release.namespace_of(pod.owner)) is not None
        if made and seen.setdefault(account, component) != component:
            what, got = "an account of its own", f"{account}, which {seen[account]} has"
            yield wrong(pod.owner, f"{pod.spec_path}.serviceAccountName", what, got=got, remedy="give it its own")


def restrict_automount_sa_token(release: Release) -> Iterator[Wrong]:
    """No pod and no account mounts a token by itself."""
    places: list[tuple[Object, str, Object]] = [(pod.owner, pod.spec_path, pod.spec) for pod in release.pods]
    places += [(item, "", item) for item in release.of("ServiceAccount")]
    for item, path, part in places:
        if (got := part.get("automountServiceAccountToken")) is not False:
            place = f"{path}.automountServiceAccountToken".lstrip(".")
            yield wrong(item, place, "false", got=got, remedy="project a token where one is needed")


def tokens_only_where_rights_are(release: Release) -> Iterator[Wrong]:
    """A token of Kubernetes' own API is projected only into pods whose account is bound; others name their audience."""
    bound = _bound(release)
    for pod in release.pods:
        for path, token in _tokens(pod):
            who = (_account(pod), release.namespace_of(pod.owner))
            if not token.get("audience") and who not in bound:
                yield wrong(pod.owner, path, "no token: its account has no rights", got="one", remedy="remove it")


def rights_only_where_tokens_are(release: Release) -> Iterator[Wrong]:
    """An account that has rights is that of a pod with a token."""
    having = {
        (_account(pod), release.namespace_of(pod.owner)) for pod in release.pods if any(True for _ in _tokens(pod))
    }
    for item, path, subject in _subjects(release):
        who = (subject.get("name"), subject.get("namespace"))
        if who in _bound(release) and who not in having:
            got = f"none in the pods of {who[0]}"
            yield wrong(item, path, "a projected token", got=got, remedy="project one, or remove the rights")


def _wildcards(release: Release, key: str) -> Iterator[Wrong]:
    for item, path, rule in _rules(release):
        if any("*" in str(value) for value in rule.get(key) or ()):
            yield wrong(item, f"{path}.{key}", "names", got=rule[key], remedy="name what is needed")


def _rules(release: Release) -> Iterator[tuple[Object, str, Object]]:
    for item in release.of(*ROLES):
        for index, rule in enumerate(item.get("rules") or ()):
            yield item, f"rules[{index}]", rule


def _rights(rule: Object) -> Iterator[tuple[str, str, str]]:
    """Group, resource and verb of everything that a rule allows."""
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            yield from ((group, resource, verb) for verb in rule.get("verbs") or ())
    yield from (("", url, verb) for url in rule.get("nonResourceURLs") or () for verb in rule.get("verbs") or ())


def _subjects(release: Release) -> Iterator[tuple[Object, str, Object]]:
    for item in release.of(*BINDINGS):
        for index, subject in enumerate(item.get("subjects") or ()):
            yield item, f"subjects[{index}]", subject


def _place(release: Release, item: Object) -> str:
    return "" if item["kind"].startswith("Cluster") else release.namespace_of(item)


def _role_of(release: Release, binding: Object) -> tuple[str, str, str]:
    kind, name = (str(look(binding, "roleRef").get(key)) for key in ("kind", "name"))
    return kind, name, "" if kind == "ClusterRole" else release.namespace_of(binding)


def _account(pod: Pod) -> str:
    return str(pod.spec.get("serviceAccountName") or "default")


def _bound(release: Release) -> set[tuple[str, str]]:
    return {(str(item.get("name")), str(item.get("namespace"))) for _, _, item in _subjects(release)}


def _tokens(pod: Pod) -> Iterator[tuple[str, Object]]:
    for path, volume in pod.volumes():
        for source in look(volume, "projected.sources") or ():
            if token := source.get("serviceAccountToken"):
                yield f"{path}.projected.sources.serviceAccountToken", token


RBAC: tuple[Check, ...] = (
    restrict_wildcard_verbs,
    restrict_wildcard_resources,
    restrict_escalation_verbs_roles,
    restrict_secret_role_verbs,
    rights_are_listed,
    cluster_roles_only_read,
    roles_do_not_aggregate,
    restrict_binding_clusteradmin,
    restrict_binding_system_groups,
    roles_are_bound,
    bindings_are_whole,
    accounts_are_apart,
    restrict_automount_sa_token,
    tokens_only_where_rights_are,
    rights_only_where_tokens_are,
)
