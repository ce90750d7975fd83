"""The recipes in ``deploy/`` are what the programs that read them take, and the options in them are options."""

import json
import re
import shlex
from pathlib import Path

import pytest

from emulator.server.options import read_options

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")
DEPLOY = Path(__file__).parent.parent / "deploy"

DEVCONTAINER = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "image": {"type": "string"},
        "features": {"type": "object", "additionalProperties": {"type": "object"}},
        "postCreateCommand": {"type": "string"},
        "postStartCommand": {"type": "string"},
        "containerEnv": {"type": "object", "additionalProperties": {"type": "string"}},
        "forwardPorts": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 65535}},
    },
    "required": ["image"],
    "additionalProperties": False,
}
"""As much of the specification of development containers as the recipe uses."""


def schema(name):
    """A schema that the package check-jsonschema brings along."""
    package = pytest.importorskip("check_jsonschema")
    return json.loads((Path(package.__file__).parent / "builtin_schemas" / "vendor" / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("path", "name"),
    [("compose.yaml", "compose-spec"), ("../compose.yaml", "compose-spec"), ("github-actions.yml", "github-workflows")],
)
def test_compose_and_workflow(path, name):
    # YAML 1.1 reads the word `on` as true.
    text = re.sub(r"^on:", '"on":', (DEPLOY / path).read_text(), flags=re.MULTILINE)
    jsonschema.validate(yaml.safe_load(text), schema(name))


def test_kubernetes():
    kubernetes = pytest.importorskip("kubernetes_validate")
    found = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    assert [resource["kind"] for resource in found] == ["Secret", "Deployment", "Service"]
    for resource in found:
        kubernetes.validate(resource, kubernetes.latest_version(), strict=True)


def test_the_service_and_the_probes_find_what_they_name():
    _, deployment, service = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports.keys()
    assert container["readinessProbe"]["httpGet"]["port"] in ports
    given = {variable["name"]: variable.get("value", "8079:x") for variable in container["env"]}
    config = read_options(container["args"], given).config
    assert (config.port, config.rest_port, config.cloud_port) == (ports["redis"], ports["rest"], ports["management"])


def test_compose_has_options():
    environ = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["redis"]["environment"]
    config = read_options([], environ).config
    assert (config.rest_token, config.cloud_port, config.cloud_dir) == ("dev", 8080, "/data/cloud")


def test_devcontainer():
    found = json.loads((DEPLOY / "devcontainer" / "devcontainer.json").read_text())
    jsonschema.validate(found, DEVCONTAINER)
    program, *words = shlex.split(found["postStartCommand"])[1:]
    assert program == "-m"
    config = read_options(words[1:], {}).config
    assert (
        config.cloud_account == f"{found['containerEnv']['UPSTASH_EMAIL']}:{found['containerEnv']['UPSTASH_API_KEY']}"
    )
    assert [config.port, config.rest_port, config.cloud_port] == found["forwardPorts"]
