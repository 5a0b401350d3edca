"""Manifests: what rendered Kubernetes objects say of database connections.

Only what a budget needs is looked at; everything else may be whatever Kubernetes allows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Any, TypeVar

import msgspec

from bellbuoy.budget import MAX_CONNECTIONS, Budget, Tenant, leaving
from bellbuoy.errors import EnvironmentFault
from bellbuoy.settings import PoolSettings

DATABASE = "BUOY_DB_HOST"
"""The setting by which a workload is known to use the database."""

DEFAULT_SURGE = "25%"
DEFAULT_GRACE = 30.0
"""What Kubernetes takes for an absent maxSurge and terminationGracePeriodSeconds."""

_MOST = re.compile(r"max_connections\s*=\s*(\d+)")

S = TypeVar("S", bound=msgspec.Struct)


class _Part(msgspec.Struct, rename="camel"):
    """Some members of an object; the others are ignored."""


class _Name(_Part):
    name: str = ""


class _Variable(_Name):
    value: str | None = None


class _Source(_Part):
    config_map_ref: _Name = msgspec.field(default_factory=_Name)


class _Container(_Part):
    env: list[_Variable] = []
    env_from: list[_Source] = []
    args: list[str] = []


class _Pod(_Part):
    containers: list[_Container] = []
    termination_grace_period_seconds: float = DEFAULT_GRACE


class _Template(_Part):
    spec: _Pod = msgspec.field(default_factory=_Pod)


class _Rolling(_Part):
    max_surge: int | str = DEFAULT_SURGE


class _Strategy(_Part):
    rolling_update: _Rolling = msgspec.field(default_factory=_Rolling)


class _Spec(_Part):
    template: _Template = msgspec.field(default_factory=_Template)
    replicas: int = 1
    min_ready_seconds: float = 0
    strategy: _Strategy = msgspec.field(default_factory=_Strategy)
    max_replicas: int = 1
    scale_target_ref: _Name = msgspec.field(default_factory=_Name)


class _Object(_Part):
    kind: str = ""
    metadata: _Name = msgspec.field(default_factory=_Name)
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _ConfigMap(_Part):
    metadata: _Name = msgspec.field(default_factory=_Name)
    data: dict[str, str] = {}


def read(objects: Iterable[object]) -> Budget:
    """Return the budget that rendered objects describe.

    Args:
        objects: As a YAML reader returns them.

    Raises:
        EnvironmentFault: They are no manifests, or say too little to count with.
    """
    plain = [each for each in objects if isinstance(each, dict)]
    maps = {each.metadata.name: each.data for each in _of(plain, _ConfigMap, "ConfigMap")}
    scaled = {
        each.spec.scale_target_ref.name: each.spec.max_replicas
        for each in _of(plain, _Object, "HorizontalPodAutoscaler")
    }
    tenants = [
        _tenant(each, settings, scaled.get(each.metadata.name, each.spec.replicas))
        for each in _of(plain, _Object, "Deployment", "StatefulSet")
        if DATABASE in (settings := _settings(each, maps))
    ]
    if not tenants:
        raise EnvironmentFault(f"no Deployment here sets {DATABASE}, so none uses the database")
    jobs = [each for each in _of(plain, _Object, "Job") if DATABASE in _settings(each, maps)]
    return Budget(tenants=tuple(tenants), jobs=len(jobs), max_connections=_most(plain))


def _of(objects: Iterable[dict[str, Any]], part: type[S], *kinds: str) -> Iterator[S]:
    for each in objects:
        if each.get("kind") in kinds:
            try:
                yield msgspec.convert(each, part)
            except msgspec.ValidationError as error:
                raise EnvironmentFault(f"a {each['kind']} is not as expected: {error}") from error


def _settings(workload: _Object, maps: Mapping[str, dict[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for container in workload.spec.template.spec.containers:
        for source in container.env_from:
            found |= maps.get(source.config_map_ref.name, {})
        found |= {each.name: each.value for each in container.env if each.value is not None}
    return found


def _tenant(workload: _Object, settings: Mapping[str, str], replicas: int) -> Tenant:
    spec, name = workload.spec, workload.metadata.name
    surge = _surge(spec.strategy.rolling_update.max_surge, replicas)
    grace = spec.template.spec.termination_grace_period_seconds
    return Tenant(
        name=name,
        replicas=replicas,
        surge=surge,
        leaving=leaving(replicas, surge, grace, spec.min_ready_seconds),
        workers=number(name, settings, "BUOY_WORKERS", 0),
        pool_size=number(name, settings, "BUOY_DB_POOL_SIZE", PoolSettings().db_pool_size),
    )


def _surge(most: int | str, replicas: int) -> int:
    if isinstance(most, int):
        return most
    return ceil(replicas * float(most.removesuffix("%")) / 100)


def number(name: str, settings: Mapping[str, str], variable: str, default: int) -> int:
    """Return a setting of the workload ``name`` that is counted with.

    Raises:
        EnvironmentFault: It is none that can be.
    """
    text = settings.get(variable, str(default))
    if not text.isdecimal() or int(text) == 0:
        raise EnvironmentFault(f"{name}: {variable} is {text}; a budget needs a number from 1 on")
    return int(text)


def _most(objects: Iterable[dict[str, Any]]) -> int:
    for each in _of(objects, _Object, "StatefulSet"):
        for container in each.spec.template.spec.containers:
            if found := _MOST.search(" ".join(container.args)):
                return int(found[1])
    return MAX_CONNECTIONS
