"""Where the other evaluator decides otherwise, and the page of the IAM User Guide that speaks for us.

A row that no longer holds fails test_iam.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"


@dataclass(frozen=True)
class Row:
    """One reason: `explains` says whether a case is of this kind."""

    name: str
    page: str
    reason: str
    explains: Callable[[dict], bool]


def policies(case: dict) -> Iterator[dict]:
    for policy in [*case["identity"], case["resource_policy"], case["session_policy"], case["boundary"]]:
        if policy is not None:
            yield policy


def statements(case: dict) -> Iterator[dict]:
    for policy in policies(case):
        yield from policy["Statement"]


def has_operator(case: dict, operators: str, operand: str) -> bool:
    """Whether a condition of this family compares with this value."""
    return any(
        operator.split(":")[-1].startswith(operators) and operand in (values if isinstance(values, list) else [values])
        for statement in statements(case)
        for operator, keys in statement.get("Condition", {}).items()
        for values in keys.values()
    )


def old_version_with_variable(case: dict) -> bool:
    return any(policy["Version"] == "2008-10-17" and "${" in str(policy) for policy in policies(case))


ROWS = [
    Row(
        "variables in a policy of the older version",
        f"{GUIDE}reference_policies_elements_version.html",
        "Without Version 2012-10-17, ${aws:username} is a literal string; the other replaces it all the same.",
        old_version_with_variable,
    ),
    Row(
        "a session policy and a grant to the session or to everyone",
        f"{GUIDE}reference_policies_evaluation-logic.html",
        "What a resource's policy grants to the session's ARN is not limited by the silence of a session policy, and "
        "neither is what it grants with a wildcard principal (reference_policies_elements_principal.html). "
        "The other limits both.",
        lambda case: case["session_policy"] is not None
        and case["allowed"]
        and "of the resource's policy allows it" in case["because"],
    ),
    Row(
        "dates in epoch time",
        f"{GUIDE}reference_policies_elements_condition_operators.html#Conditions_Date",
        "A date may be written in epoch (UNIX) time, which is seconds; the other takes 1767225600 for no date of 2026.",
        lambda case: has_operator(case, "Date", "1767225600"),
    ),
    Row(
        "the range of every address",
        f"{GUIDE}reference_policies_elements_condition_operators.html#Conditions_IPAddress",
        "0.0.0.0/0 is a CIDR range that every IPv4 address lies in; the other finds none in it.",
        lambda case: has_operator(case, "IpAddress", "0.0.0.0/0") or has_operator(case, "NotIpAddress", "0.0.0.0/0"),
    ),
    Row(
        "a single IPv4 address beside an IPv6 caller",
        f"{GUIDE}reference_policies_elements_condition_operators.html#Conditions_IPAddress",
        "203.0.113.9 means 203.0.113.9/32, which no IPv6 address lies in; the other finds 2001:db8::1 in it.",
        lambda case: ":" in case["context"].get("aws:SourceIp", "")
        and (has_operator(case, "IpAddress", "203.0.113.9") or has_operator(case, "NotIpAddress", "203.0.113.9")),
    ),
    Row(
        "an escaped asterisk in StringEquals",
        f"{GUIDE}reference_policies_variables.html#policy-vars-specialchars",
        "${*} stands for the character * wherever a variable may stand; the other leaves it as it is in StringEquals.",
        lambda case: has_operator(case, "String", "pr${*}"),
    ),
    Row(
        "an empty value and a default",
        f"{GUIDE}reference_policies_variables.html#policy-vars-default-values",
        "A default stands in for a key that the request does not carry; the other takes it for an empty value too.",
        lambda case: case["context"].get("aws:PrincipalTag/team") == "" and "/team, 'a'}" in str(list(policies(case))),
    ),
    Row(
        "a variable without a value in a Deny",
        f"{GUIDE}reference_policies_variables.html",
        "A variable that cannot be resolved might make the whole statement invalid, says the page and no more; "
        "a Deny whose exception cannot be read is kept here, and dropped by the other.",
        lambda case: not case["allowed"]
        and any(statement["Effect"] == "Deny" and "${aws:" in str(statement) for statement in statements(case)),
    ),
]
