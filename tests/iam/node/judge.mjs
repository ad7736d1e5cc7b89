// Another evaluator's decisions: reads cases from standard input, one JSON
// object a line as `iam_cases` prints them, and writes { id, allowed } or
// { id, error } for each.
import { readFileSync } from "node:fs";
import { anonymousPrincipal, runSimulation } from "@cloud-copilot/iam-simulate";

const ACCOUNT = "123456789012";

async function judge(one) {
  const simulation = {
    request: {
      principal: one.principal ?? anonymousPrincipal,
      action: one.action,
      resource: { resource: one.resource, accountId: ACCOUNT },
      contextVariables: one.context,
    },
    identityPolicies: one.identity.map((policy, at) => ({ name: `identity-${at}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: one.resource_policy ?? undefined,
    sessionPolicy: one.session_policy ?? undefined,
    permissionBoundaryPolicies: one.boundary ? [{ name: "boundary", policy: one.boundary }] : undefined,
  };
  const answer = await runSimulation(simulation, {});
  if (answer.resultType === "error") return { id: one.id, error: answer.errors };
  return { id: one.id, allowed: answer.overallResult === "Allowed" };
}

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  console.log(JSON.stringify(await judge(JSON.parse(line))));
}
