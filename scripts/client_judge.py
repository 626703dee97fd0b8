"""Drives a built `ceiling` through the faults of llmock's provider APIs, and prints llmock's verdict on it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from llmock.scenarios import Fail, StreamFault
from llmock.testing import BASE_PATHS, LLMockServer
from llmock.verdict import judge

EXAMPLES = 40
MODEL = "judged"
STALL_SECONDS = 20.0

# Wire, llmock's name of the provider.
APIS = [
    ("openai-chat", "openai"),
    ("openai-responses", "openai"),
    ("anthropic", "anthropic"),
    ("gemini", "gemini"),
]

# What can succeed on another try. Each is given so many times, to whichever requests come.
PASSING = [
    Fail(429, retry_after=1.0, times=4),
    Fail(429, times=2),
    Fail(408, times=1),
    Fail(500, times=2),
    Fail(503, retry_after=0.5, times=2),
    Fail(529, times=1),
    StreamFault("disconnect", after_chunks=1, times=2),
    StreamFault("truncate", after_chunks=1, times=2),
    StreamFault("malformed", after_chunks=1, times=2),
    StreamFault("stall", after_chunks=1, stall_seconds=STALL_SECONDS, times=1),
]

# What cannot: the variant stops, and no request is tried again.
LASTING = [401, 403, 404]


def project(folder: pathlib.Path, wire: str, address: str) -> None:
    """Writes a suite with one variant, and the provider that answers it."""
    suite = folder / "suites" / "judged"
    (suite / "prompts").mkdir(parents=True)
    (folder / "providers").mkdir()
    (folder / "providers" / "mock.toml").write_text(
        f'kind = "{wire}"\nbase_url = "{address}"\napi_key_env = "JUDGE_KEY"\n'
        f"[limits]\nconcurrency = 8\nfirst_token_timeout_s = 3\nbetween_chunks_timeout_s = 1\n"
        f'[models."{MODEL}"]\n'
    )
    (suite / "suite.toml").write_text(
        '[suite]\nname = "judged"\ntask = "classification"\n[data]\nexamples = "examples.jsonl"\n'
        '[output]\nschema = "schema.json"\n[score]\nprimary = "label"\n'
        '[score.scorers.label]\nkind = "exact"\nat = "/label"\n[prompts]\nv1 = "prompts/v1.md.j2"\n'
        f'[[variants]]\nname = "schema"\nmodel = "mock/{MODEL}"\nprompt = "v1"\nstructured = "json-schema"\n'
    )
    schema = {
        "type": "object",
        "properties": {"label": {"enum": ["yes", "no"]}},
        "required": ["label"],
        "additionalProperties": False,
    }
    (suite / "schema.json").write_text(json.dumps(schema))
    (suite / "prompts" / "v1.md.j2").write_text("--- user ---\nAnswer {{ labels }}: {{ input }}\n")
    rows = [{"id": f"e{n}", "input": f"question {n}", "expected": {"label": "yes"}} for n in range(EXAMPLES)]
    (suite / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(ceiling: str, wire: str, provider: str, behaviours: list) -> tuple:
    """One run against a fresh server: exit code, report, verdict."""
    with tempfile.TemporaryDirectory() as temporary, LLMockServer() as server:
        folder = pathlib.Path(temporary)
        address = server.base_url(provider)
        address += {"gemini": "/v1beta", "anthropic": "/v1"}.get(wire, "")
        project(folder, wire, address)
        server.state.scenarios.add(*behaviours)
        asked = subprocess.run(
            [ceiling, "run", "suites/judged", "--json", "--quiet"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": temporary, "JUDGE_KEY": "a-key-of-nobody"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        try:
            report = json.loads(asked.stdout)
        except ValueError:
            report = None
        left = len(server.state.scenarios.pending())
        verdict = judge(server.state.journal.records(wait=2.0))
        return asked, report, verdict, left


def held_against_it(verdict) -> list:
    """The findings that count, with why others do not."""
    held = []
    records = [record for call in verdict.calls for record in call.attempts]
    for finding in verdict.findings:
        if finding.code == "malformed_chunk_ignored":
            # llmock takes an answer that it sent to its end for a good one, so that the next try is another call to it.
            [bad] = [record for record in records if record.seq in finding.seqs]
            if any(other.fingerprint == bad.fingerprint and other.seq > bad.seq for other in records):
                print(f"  #{bad.seq}: the same request was sent again after the malformed chunk")
                continue
        if finding.code == "no_backoff" and len(finding.seqs) <= 3:
            # Two waits with jitter, or the pause that another request's Retry-After asked of all, need not grow.
            print("  two waits, of which the second was not longer: jitter, or a pause asked of all requests")
            continue
        held.append(finding)
    return held


def main() -> int:
    ceiling = os.path.abspath(sys.argv[1])
    faults = []
    for wire, provider in APIS:
        asked, report, verdict, left = run(ceiling, wire, provider, PASSING)
        print(f"{wire}: {verdict.render()}", flush=True)
        held = held_against_it(verdict)
        if not verdict.passed or held:
            faults.append(f"{wire}: llmock found {', '.join(finding.code for finding in held)}")
        if left:
            faults.append(f"{wire}: {left} of the faults were never met")
        variant = report["variants"][0] if report else {}
        answered = (asked.returncode, variant.get("n"), variant.get("missing"), variant.get("outcomes", {}).get("answered"))
        if answered != (0, EXAMPLES, 0, EXAMPLES):
            faults.append(f"{wire}: exit, trials, missing, answered are {answered}\n{asked.stderr[-2000:]}")
        for status in LASTING:
            asked, _, verdict, _ = run(ceiling, wire, provider, [Fail(status, times=None)])
            if asked.returncode != 4 or verdict.findings or verdict.attempts > 8:
                faults.append(
                    f"{wire}, {status} for ever: exit {asked.returncode}, {verdict.attempts} requests\n{verdict.render()}"
                )
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    print(f"{len(APIS)} provider APIs, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
