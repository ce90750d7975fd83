"""The recipes in ``deploy/`` are what the programs that read them take, and the options in them are options."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from emulator.server.options import read_options
from tests import kubernetes

jsonschema = pytest.importorskip("jsonschema")
DEPLOY = Path(__file__).parent.parent / "deploy"

SCHEMAS = kubernetes.SECRET, kubernetes.DEPLOYMENT, kubernetes.SERVICE

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


def test_compose_by_docker():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs docker compose")
    done = subprocess.run(
        [docker, "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def manifests():
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def test_kubernetes():
    for found, wanted in zip(manifests(), SCHEMAS, strict=True):
        jsonschema.validate(found, wanted)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("1 apiVersion", "v1"),
        ("1 spec replica", 1),
        ("1 spec selector", None),
        ("1 spec template spec containers 0 ports 0 containerPort", "6379"),
        ("1 spec template spec containers 0 env 0 value", "given twice"),
        ("1 spec template spec containers 0 livenessProbe httpGet", {"port": 80}),
        ("1 spec template spec containers 0 resources limits memory", "512MB"),
        ("2 spec ports 0 targetPort", 0),
        ("2 metadata name", "Redis_Emulator"),
    ],
)
def test_a_mistake_is_found(path, wrong):
    number, *way, last = (int(word) if word.isdigit() else word for word in path.split())
    found = place = manifests()[number]
    for word in way:
        place = place[word]
    place[last] = wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMAS[number])


def test_the_service_and_the_probes_find_what_they_name():
    _, deployment, service = manifests()
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
