"""As much of Kubernetes' API as the recipe in ``deploy/`` uses, as JSON Schemas: a field that is not here is a mistake."""

TEXT = {"type": "string", "minLength": 1}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
WORDS = {"type": "array", "items": TEXT, "minItems": 1}
SWITCH = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 1}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PORT_NAME = {"type": "string", "pattern": "^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"}
TARGET = {"anyOf": [PORT, PORT_NAME]}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
AMOUNT = {"type": "string", "pattern": r"^\d+(\.\d+)?(m|Ki|Mi|Gi)?$"}


def fields(required="", **known):
    """An object with these fields and no others; `required` has the names of those that it must have."""
    return {"type": "object", "properties": known, "required": required.split(), "additionalProperties": False}


def several(item):
    return {"type": "array", "items": item, "minItems": 1}


def resource(version, kind, required, **known):
    """A whole resource; each here has metadata with a name."""
    metadata = fields("name", name=NAME, labels=TEXTS)
    known |= {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata}
    return fields(f"apiVersion kind metadata {required}", **known)


def probe(**ways):
    """A probe, which asks in one of these ways."""
    known = fields("", **ways, periodSeconds=COUNT, timeoutSeconds=COUNT, failureThreshold=COUNT)
    return known | {"oneOf": [{"required": [way]} for way in ways]}


AMOUNTS = fields("", cpu=AMOUNT, memory=AMOUNT)
PROBE = probe(
    tcpSocket=fields("port", port=TARGET),
    httpGet=fields("port", path={"type": "string", "pattern": "^/"}, port=TARGET),
    exec=fields("command", command=WORDS),
)
VARIABLE = fields(
    "name",
    name=TEXT,
    value={"type": "string"},
    valueFrom=fields("secretKeyRef", secretKeyRef=fields("name key", name=NAME, key=TEXT)),
) | {"oneOf": [{"required": ["value"]}, {"required": ["valueFrom"]}]}
CONTAINER = fields(
    "name image",
    name=NAME,
    image=TEXT,
    imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    args=WORDS,
    env=several(VARIABLE),
    ports=several(fields("containerPort", name=PORT_NAME, containerPort=PORT)),
    startupProbe=PROBE,
    readinessProbe=PROBE,
    livenessProbe=PROBE,
    resources=fields("", requests=AMOUNTS, limits=AMOUNTS),
    securityContext=fields("", allowPrivilegeEscalation=SWITCH, capabilities=fields("", drop=WORDS)),
    volumeMounts=several(fields("name mountPath", name=NAME, mountPath={"type": "string", "pattern": "^/"})),
)
POD = fields(
    "containers",
    automountServiceAccountToken=SWITCH,
    securityContext=fields("", runAsNonRoot=SWITCH, runAsUser=COUNT, fsGroup=COUNT),
    containers=several(CONTAINER),
    volumes=several(fields("name emptyDir", name=NAME, emptyDir=fields())),
)
SECRET = resource("v1", "Secret", "stringData", stringData=TEXTS)
DEPLOYMENT = resource(
    "apps/v1",
    "Deployment",
    "spec",
    spec=fields(
        "selector template",
        replicas=COUNT,
        strategy=fields("type", type={"enum": ["Recreate", "RollingUpdate"]}),
        selector=fields("matchLabels", matchLabels=TEXTS),
        template=fields("metadata spec", metadata=fields("labels", labels=TEXTS), spec=POD),
    ),
)
SERVICE = resource(
    "v1",
    "Service",
    "spec",
    spec=fields(
        "selector ports",
        selector=TEXTS,
        ports=several(fields("port", name=PORT_NAME, port=PORT, targetPort=TARGET)),
    ),
)
