"""The chart, rendered by the real Helm, and its objects held against what Kubernetes accepts."""

import json
import subprocess
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it ships no types
from kubernetes_validate import utils

from scripts.helm_tool import helm

CHART = Path(__file__).parents[2] / "helm"
VALUE_SETS = {
    path.stem.removesuffix("-values"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
KUBERNETES = ("1.29", "1.32", "1.35")
_CUSTOM = Path(__file__).parents[1] / "helm" / "custom_resources.yaml"

Object = dict[str, Any]
Values = Mapping[str, Any]


class DuplicateRefusingLoader(yaml.CSafeLoader):
    """Like Kubernetes, strictly read: a key twice is an error, where yaml.SafeLoader takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - as yaml has it
        """Refuse a key that is there already."""
        names = [key.value for key, _ in node.value]
        twice = sorted({name for name in names if names.count(name) > 1})
        assert not twice, f"{node.start_mark}: twice: {', '.join(twice)}"
        return super().construct_mapping(node, deep=deep)


# The library reads 1.5 MB of definitions anew for every object.
utils.schema_contents = cache(utils.schema_contents)


def run_helm(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run Helm and return what it said."""
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False, timeout=60)


def template(values: Values | Path, *, release: str = "sms", chart: Path = CHART) -> str:
    """Return the manifest of a release with *values*.

    Raises:
        AssertionError: Helm refused; the text is what it said.
    """
    done = _template(_written(values), release, chart)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(values: Values) -> str:
    """Return what Helm says to *values* that it refuses, on one line."""
    done = _template(_written(values), "sms", CHART)
    assert done.returncode != 0, "Helm accepted the values"
    return " ".join(done.stderr.split())


def _written(values: Values | Path) -> str:
    return values.read_text() if isinstance(values, Path) else json.dumps(values)


@cache
def _template(values: str, release: str, chart: Path) -> "subprocess.CompletedProcess[str]":
    command: list[str | Path] = [helm(), "template", release, chart, "--namespace", "messaging"]
    return subprocess.run(
        [*command, "--values", "-"],
        input=values, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def objects(values: Values | Path, *, release: str = "sms") -> list[Object]:
    """Return the objects of a release, each time anew."""
    loaded = yaml.load_all(template(values, release=release), Loader=DuplicateRefusingLoader)
    return [each for each in loaded if each]


def one(of: Sequence[Object], kind: str, name: str | None = None) -> Object:
    """Return the one object of *kind*, of *name* where given."""
    (found,) = [each for each in of if each["kind"] == kind and name in {None, each["metadata"]["name"]}]
    return found


def pod_spec(of: Sequence[Object]) -> Object:
    """Return the worker's pod."""
    spec: Object = one(of, "Deployment")["spec"]["template"]["spec"]
    return spec


def worker_container(of: Sequence[Object]) -> Object:
    """Return the worker's container."""
    (found,) = [each for each in pod_spec(of)["containers"] if each["name"] == "worker"]
    return dict(found)


def config(of: Sequence[Object]) -> dict[str, str]:
    """Return the settings that are no secret, by their variables."""
    found: dict[str, str] = next(
        each["data"] for each in of if each["kind"] == "ConfigMap" and "AMQP_PREFIX" in each["data"]
    )
    return found


def faults(thing: Object) -> Iterator[str]:
    """Say what Kubernetes, in any of the versions, or the custom resource's schema refuses."""
    custom = _custom_schema(thing["kind"])
    if custom:
        yield from (f"{error.json_path}: {error.message}" for error in custom.iter_errors(thing))
        return
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{version}: {error.json_path}: {error.message}"


@cache
def _custom_schema(kind: str) -> Draft7Validator | None:
    known = yaml.safe_load(_CUSTOM.read_text())
    if kind not in known["kinds"]:
        return None
    strings = {"$ref": "#/definitions/strings"}
    metadata = {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {"name": {"$ref": "#/definitions/name"}, "labels": strings, "annotations": strings},
    }
    return Draft7Validator(
        {
            "definitions": known["definitions"],
            "type": "object",
            "additionalProperties": False,
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "properties": {
                "apiVersion": {"const": known["kinds"][kind]["apiVersion"]},
                "kind": {"const": kind},
                "metadata": metadata,
                "spec": known["kinds"][kind]["spec"],
            },
        }
    )
