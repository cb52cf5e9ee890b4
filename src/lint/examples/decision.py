"""A credit decision with its confidence, and a human's review of it: decision.py http://127.0.0.1:4318"""

import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor



class Telling:
    """Counts exports that were not answered with success: force_flush() returns True after them, too."""

    failed = 0

    def export(self, batch):
        self.failed += 1
        result = super().export(batch)
        if result.name == "SUCCESS":
            self.failed -= 1
        return result


class SpanExporter(Telling, OTLPSpanExporter):
    pass


class LogExporter(Telling, OTLPLogExporter):
    pass


endpoint = sys.argv[1]
resource = Resource.create(
    {
        "service.name": "credit-scoring",
        "service.version": "2.3.0",
        "deployment.environment.name": "production",
        # True of every step of this service, so said once.
        "ai_audit.model.version": "4.2.1",
        "ai_audit.policy.id": "underwriting-ai-policy",
        "ai_audit.policy.version": "7",
        "ai_audit.system.risk_class": "high",
    }
)
span_exporter = SpanExporter(endpoint=f"{endpoint}/v1/traces")
traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(span_exporter))
log_exporter = LogExporter(endpoint=f"{endpoint}/v1/logs")
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(log_exporter))

with traces.get_tracer("credit").start_as_current_span("decide loan") as span:
    span.set_attributes(
        {
            "ai_audit.decision.id": "loan-2026-0042",
            "ai_audit.decision.type": "credit_approval",
            "ai_audit.decision.outcome": "declined",
            "ai_audit.decision.automation_level": "human_in_the_loop",
            "ai_audit.confidence.score": 0.72,
            "ai_audit.confidence.method": "calibrated",
            "ai_audit.confidence.threshold": 0.85,
            "ai_audit.review.required": True,
            "ai_audit.model.id": "credit-pd-scorecard",
            "ai_audit.subject.id": "cust-88421",  # sealed as a pseudonym
            "ai_audit.input": "income 4100, debt 2500",  # never in evidence
            "ai_audit.output": "declined: debt ratio too high",
        }
    )

# Hours later, in another process: the review names the decision.
logs.get_logger("credit").emit(
    LogRecord(
        event_name="ai_audit.review.completed",
        severity_number=SeverityNumber.INFO,
        attributes={
            "ai_audit.decision.id": "loan-2026-0042",
            "ai_audit.review.decision": "modified",
            "ai_audit.review.overridden": True,
            "ai_audit.review.original_outcome": "declined",
            "ai_audit.review.final_outcome": "approved",
            "ai_audit.review.reason_code": "DATA_STALE",
            "ai_audit.review.reviewer.id": "rev_7f3a",
            "ai_audit.review.reviewer.kind": "human",
            "ai_audit.review.reviewer.role": "senior_underwriter",
        },
    )
)
# A flush only ends the attempt. The receipt is the receiver's success answer, which the exporters saw: then what was sent is sealed.
flushed = traces.force_flush() and logs.force_flush()
traces.shutdown()
logs.shutdown()
if not flushed or span_exporter.failed or log_exporter.failed:
    sys.exit("not acknowledged: the receiver did not answer every export with success")
