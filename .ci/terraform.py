"""Reads the samples of Terraform, and looks whom they trust: exactly one project, and nobody by a pattern."""

import json
import pathlib
import re
import sys

import hcl2

folder = pathlib.Path(sys.argv[1])
wrong = []
blocks = 0
text = ""
for path in sorted(folder.glob("*.tf")):
    source = path.read_text()
    parsed = hcl2.loads(source)
    blocks += sum(len(it) if isinstance(it, list) else 1 for it in parsed.values())
    text += source

# Whoever is trusted is named in full, by both claims.
trust = re.search(r'"vercel_trust" \{(.*?)\n\}', text, re.S)
if not trust:
    sys.exit("nobody is trusted: was the role renamed?")
trust = trust.group(1)
for claim in ("aud", "sub"):
    condition = rf'test\s+= "StringEquals"\s+variable = "\$\{{local\.issuer\}}:{claim}"'
    if not re.search(condition, trust):
        wrong.append(f"{claim} is not compared by StringEquals")
if "*" in trust or "StringLike" in trust:
    wrong.append("somebody is trusted by a pattern")
if ":environment:production" not in trust:
    wrong.append("no environment is named")

# Nothing secret, and nothing outside of Sydney.
if re.search(r'secret_string|aws_access_key|variable "[^"]*(secret|password|token)', text):
    wrong.append("a secret would be in the state")
for region in set(re.findall(r"\b(?:us|eu|ap|sa|ca)-[a-z]+-\d\b", text)) - {"ap-southeast-2"}:
    wrong.append(f"{region} is not Sydney")
if "*" in json.dumps(re.findall(r'"dynamodb:[^"]*"', text)):
    wrong.append("the table's role may do anything")

print(f"{blocks} kinds of blocks in {folder}, {len(wrong)} findings")
for it in wrong:
    print(it)
sys.exit(1 if wrong else 0)
