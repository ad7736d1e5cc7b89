"""Reads what `minilab template` prints, each language by a parser that is not ours."""

import json
import re
import subprocess
from pathlib import Path

import hcl2
import yaml


def run(minilab: Path, *args: str, folder: Path | None = None) -> str:
    """What the binary prints, in a folder without a recipe unless one is given."""
    done = subprocess.run([minilab, *args], cwd=folder or Path(__file__).parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class _Tagged(yaml.SafeLoader):
    """YAML with CloudFormation's short functions: `!Ref X` is `{"Ref": "X"}`."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Tagged.add_multi_constructor("!", _function)


def cloudformation(text: str) -> dict:
    return yaml.load(text, _Tagged)  # noqa: S506: a safe loader with tags


def policies(template: dict) -> dict[str, dict]:
    """The role's policies by their names."""
    role = template["Resources"]["Role"]["Properties"]
    return {policy["PolicyName"]: policy["PolicyDocument"] for policy in role["Policies"]}


def terraform(text: str) -> dict[tuple[str, str], dict]:
    """Resources by type and label. Raises where the text is not HCL."""
    found = {}
    for resource in hcl2.loads(text)["resource"]:
        for kind, labelled in resource.items():
            for label, body in labelled.items():
                found[kind.strip('"'), label.strip('"')] = body
    return found


def terraform_policy(text: str, kind: str, label: str) -> dict:
    """The policy of a resource, where it holds no references: HCL's objects are
    read as JSON once their keys are quoted and their comments gone."""
    start = text.index("jsonencode(", text.index(f'resource "{kind}" "{label}"')) + len("jsonencode(")
    depth, end, quoted = 0, start, False
    while True:
        character = text[end]
        if character == '"' and text[end - 1] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += {"{": 1, "}": -1}.get(character, 0)
        end += 1
        if depth == 0:
            break
    body = "\n".join(line for line in text[start:end].splitlines() if not line.lstrip().startswith("#"))
    body = re.sub(r'^(\s*(?:\{ )?)("?)([\w:]+)\2\s+=', r'\1"\3":', body, flags=re.MULTILINE)
    body = re.sub(r'(\{ )("?)([\w:]+)\2\s+=', r'\1"\3":', body)
    # A line that ends a value is followed by a comma, unless the object ends.
    body = re.sub(r'(["\]}])\n(\s*")', r"\1,\n\2", body)
    body = re.sub(r",(\s*[\]}])", r"\1", body)
    return json.loads(body.replace("$${", "${").replace("%%{", "%{"))
