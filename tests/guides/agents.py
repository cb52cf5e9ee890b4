"""Plays a coding agent: agents.py claude | codex CONFIG.toml | gemini SETTINGS.json

Reads the configuration as the agent's documentation says, sends a session's events in their documented form with the official SDK, and sends
nothing where the configuration leaves telemetry out. No agent is asked: its own sending is not what this shows.
"""
import json
import os
import sys
import tomllib

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource


def exporter(grpc, endpoint, headers=None):
    if grpc:
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

        return OTLPLogExporter(endpoint=endpoint, insecure=True, headers=headers, timeout=30)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    return OTLPLogExporter(endpoint=endpoint, headers=headers, timeout=30)


def send(out, service, scope, events):
    logs = LoggerProvider(resource=Resource.create({"service.name": service}))
    logs.add_log_record_processor(SimpleLogRecordProcessor(out))
    for name, body, attributes in events:
        logs.get_logger(scope).emit(LogRecord(event_name=name, body=body, attributes=attributes, severity_number=SeverityNumber.INFO))
    logs.shutdown()


def claude():
    env = os.environ
    if env.get("CLAUDE_CODE_ENABLE_TELEMETRY") != "1" or "otlp" not in env.get("OTEL_LOGS_EXPORTER", ""):
        return
    grpc = env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"
    assert grpc or env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    out = exporter(grpc, env["OTEL_EXPORTER_OTLP_ENDPOINT"] + ("" if grpc else "/v1/logs"))
    typed = "fix the claim of Jane Roe" if env.get("OTEL_LOG_USER_PROMPTS") == "1" else "<REDACTED>"
    common = {"session.id": "sess-1", "user.id": "installation-1", "user.email": "jane.roe@example.com", "terminal.type": "vscode"}
    events = [
        ("user_prompt", {"prompt": typed, "prompt_length": "25"}),
        ("api_request", {"model": "claude-sonnet-5", "input_tokens": "12", "output_tokens": "340", "cost_usd": "0.0123", "duration_ms": "2150"}),
        ("tool_decision", {"tool_name": "Bash", "tool_use_id": "t-1", "decision": "accept", "source": "user_temporary"}),
        ("tool_decision", {"tool_name": "Read", "tool_use_id": "t-2", "decision": "accept", "source": "config"}),
        ("tool_result", {"tool_name": "Bash", "tool_use_id": "t-1", "success": "true", "duration_ms": "42"}),
    ]
    named = [(None, f"claude_code.{name}", {"event.name": name, **common, **said}) for name, said in events]
    send(out, "claude-code", "com.anthropic.claude_code.events", named)


def codex(path):
    with open(path, "rb") as file:
        otel = tomllib.load(file)["otel"]
    if otel.get("exporter", "none") == "none":
        return
    ((kind, to),) = otel["exporter"].items()
    assert kind in ("otlp-http", "otlp-grpc") and (kind == "otlp-grpc" or to["protocol"] == "binary")
    typed = "fix the claim of Jane Roe" if otel.get("log_user_prompt") else "[REDACTED]"
    common = {"conversation.id": "conv-1", "user.account_id": "account-1", "env": otel.get("environment", "dev"), "model": "gpt-5-codex"}
    events = [
        ("codex.user_prompt", {"prompt": typed, "prompt_length": "25"}),
        ("codex.tool_decision", {"tool_name": "shell", "call_id": "c-1", "decision": "denied", "source": "user"}),
        ("codex.tool_result", {"tool_name": "shell", "call_id": "c-1", "success": "true", "duration_ms": "42", "arguments": "ls", "output": "a"}),
        ("codex.sse_event", {"event.kind": "response.completed", "input_token_count": "12", "output_token_count": "5"}),
    ]
    send(exporter(kind == "otlp-grpc", to["endpoint"]), "codex_cli_rs", "codex_otel", [(n, None, {"event.name": n, **common, **s}) for n, s in events])


def gemini(path):
    with open(path) as file:
        telemetry = json.load(file)["telemetry"]
    if not telemetry.get("enabled") or telemetry.get("outfile") or telemetry.get("target", "local") != "local":
        return
    grpc = telemetry.get("otlpProtocol", "grpc") == "grpc"
    out = exporter(grpc, telemetry["otlpEndpoint"] + ("" if grpc else "/v1/logs"))
    said = {"gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "gcp.gen_ai", "gen_ai.request.model": "gemini-3-pro"}
    said |= {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 5, "session.id": "sess-3"}
    if telemetry.get("logPrompts", True):
        said["gen_ai.input.messages"] = '[{"role":"user","parts":[{"type":"text","content":"fix the claim of Jane Roe"}]}]'
    ran = {"function_name": "run_shell_command", "function_args": '{"command":"ls"}', "success": True, "decision": "accept", "prompt_id": "p-1"}
    events = [("gen_ai.client.inference.operation.details", said), ("gemini_cli.tool_call", ran)]
    send(out, "gemini-cli", "gemini-cli", [(None, name, {"event.name": name, **attributes}) for name, attributes in events])


{"claude": claude, "codex": codex, "gemini": gemini}[sys.argv[1]](*sys.argv[2:])
