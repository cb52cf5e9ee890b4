// A credit decision with its confidence, and a human's review of it: node decision.mjs http://127.0.0.1:4318
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

// Remembers exports that were not answered with success: a flush of logs resolves after them, too.
const failed = [];
const telling = (exporter) => {
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) =>
    send(batch, (result) => {
      if (result.code !== 0) failed.push(result.error);
      done(result);
    });
  return exporter;
};

const endpoint = process.argv[2];
const resource = resourceFromAttributes({
  'service.name': 'credit-scoring',
  'service.version': '2.3.0',
  'deployment.environment.name': 'production',
  // True of every step of this service, so said once.
  'ai_audit.model.version': '4.2.1',
  'ai_audit.policy.id': 'underwriting-ai-policy',
  'ai_audit.policy.version': '7',
  'ai_audit.system.risk_class': 'high',
});
const traces = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(telling(new OTLPTraceExporter({ url: `${endpoint}/v1/traces` })))],
});
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: telling(new OTLPLogExporter({ url: `${endpoint}/v1/logs` })) })],
});

const span = traces.getTracer('credit').startSpan('decide loan');
span.setAttributes({
  'ai_audit.decision.id': 'loan-2026-0042',
  'ai_audit.decision.type': 'credit_approval',
  'ai_audit.decision.outcome': 'declined',
  'ai_audit.decision.automation_level': 'human_in_the_loop',
  'ai_audit.confidence.score': 0.72,
  'ai_audit.confidence.method': 'calibrated',
  'ai_audit.confidence.threshold': 0.85,
  'ai_audit.review.required': true,
  'ai_audit.model.id': 'credit-pd-scorecard',
  'ai_audit.subject.id': 'cust-88421', // sealed as a pseudonym
  'ai_audit.input': 'income 4100, debt 2500', // never in evidence
  'ai_audit.output': 'declined: debt ratio too high',
});
span.end();

// Hours later, in another process: the review names the decision.
logs.getLogger('credit').emit({
  eventName: 'ai_audit.review.completed',
  severityNumber: SeverityNumber.INFO,
  attributes: {
    'ai_audit.decision.id': 'loan-2026-0042',
    'ai_audit.review.decision': 'modified',
    'ai_audit.review.overridden': true,
    'ai_audit.review.original_outcome': 'declined',
    'ai_audit.review.final_outcome': 'approved',
    'ai_audit.review.reason_code': 'DATA_STALE',
    'ai_audit.review.reviewer.id': 'rev_7f3a',
    'ai_audit.review.reviewer.kind': 'human',
    'ai_audit.review.reviewer.role': 'senior_underwriter',
  },
});
// A flush only ends the attempt. The receipt is the receiver's success answer, which the exporters saw: then what was sent is sealed.
const flushed = await Promise.allSettled([traces.forceFlush(), logs.forceFlush()]);
await Promise.allSettled([traces.shutdown(), logs.shutdown()]);
if (failed.length > 0 || flushed.some(({ status }) => status === 'rejected')) {
  console.error('not acknowledged: the receiver did not answer every export with success', ...failed);
  process.exitCode = 1;
}
