"""An application that decides N times, as fast as it can, with whatever the environment says of samplers, limits and queues: many.py N [TRACEPARENT]

The second argument is the trace of a caller. Prints nothing of its own; the SDK's warnings go to stderr.
"""
import logging
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

logging.basicConfig(level=logging.WARNING)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
caller = TraceContextTextMapPropagator().extract({"traceparent": sys.argv[2]}) if len(sys.argv) > 2 else None
for number in range(int(sys.argv[1])):
    provider.get_tracer("claims").start_span(
        "decide", context=caller, attributes={"ai_audit.decision.id": f"case-{number}", "ai_audit.decision.outcome": "refer", "gen_ai.request.model": "m"}
    ).end()
provider.force_flush(60_000)
provider.shutdown()
