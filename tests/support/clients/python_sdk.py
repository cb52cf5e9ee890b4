"""Sends with the official OpenTelemetry Python SDK: python_sdk.py grpc|http ENDPOINT [SIGNALS]

One trace (a web request that is not AI, a chat call, a tool call inside it), one GenAI log event, one plain log and one counter; of these
only SIGNALS are exported (traces,logs,metrics: all of them). Prints one JSON object: the ids that were sent and what every flush returned.
Nothing is configured but the endpoint.
"""
import json
import logging
import sys

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

protocol, endpoint = sys.argv[1:3]
signals = sys.argv[3].split(",") if len(sys.argv) > 3 else ["traces", "logs", "metrics"]
logging.basicConfig(level=logging.WARNING)  # exporters log what they could not send

if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporters = [kind(endpoint=endpoint, insecure=True, timeout=30) for kind in (OTLPSpanExporter, OTLPLogExporter, OTLPMetricExporter)]
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    kinds = ((OTLPSpanExporter, "traces"), (OTLPLogExporter, "logs"), (OTLPMetricExporter, "metrics"))
    exporters = [kind(endpoint=f"{endpoint}/v1/{signal}", timeout=30) for kind, signal in kinds]

resource = Resource.create({"service.name": f"python-{protocol}", "service.namespace": "tests"})
traces = TracerProvider(resource=resource)
if "traces" in signals:
    traces.add_span_processor(BatchSpanProcessor(exporters[0]))
logs = LoggerProvider(resource=resource)
if "logs" in signals:
    logs.add_log_record_processor(BatchLogRecordProcessor(exporters[1]))
readers = [PeriodicExportingMetricReader(exporters[2], export_interval_millis=3_600_000)] if "metrics" in signals else []
meters = MeterProvider(resource=resource, metric_readers=readers)

tracer = traces.get_tracer("tests")
logger = logs.get_logger("tests")
meters.get_meter("tests").create_counter("requests").add(1, {"path": "/claims"})

sent = {}
with tracer.start_as_current_span("POST /claims", attributes={"http.request.method": "POST", "url.path": "/claims"}) as web:
    with tracer.start_as_current_span(
        "chat test-model",
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "test-model",
            "gen_ai.response.model": "test-model-2026-01-01",
            "gen_ai.usage.input_tokens": 11,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a very secret question"}]}]),
            "user.id": "alice@example.com",
        },
    ) as chat:
        with tracer.start_as_current_span(
            "execute_tool lookup", attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
        ) as tool:
            pass
        logger.emit(
            LogRecord(
                event_name="gen_ai.client.inference.operation.details",
                attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "test-model"},
                severity_number=SeverityNumber.INFO,
                context=trace.set_span_in_context(chat),
            )
        )
        logger.emit(LogRecord(body="plain words of an application", severity_number=SeverityNumber.INFO))
    for name, span in (("web", web), ("chat", chat), ("tool", tool)):
        sent[name] = {"trace_id": format(span.get_span_context().trace_id, "032x"), "span_id": format(span.get_span_context().span_id, "016x")}

providers = {"traces": traces, "logs": logs, "metrics": meters}
flushed = {signal: providers[signal].force_flush(60_000) for signal in signals}
for provider in providers.values():
    provider.shutdown()
print(json.dumps({"sent": sent, "flushed": flushed}))
