// Sends with the official OpenTelemetry JS SDK over OTLP/HTTP with JSON bodies: node js_sdk.mjs ENDPOINT [SIGNALS]
//
// The same trace, logs and counter as python_sdk.py, and the same SIGNALS. Prints one JSON object: the ids that were sent and what every
// flush came to. Run in the folder that holds node_modules.
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { trace, context, diag, DiagConsoleLogger, DiagLogLevel } = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-http');
const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-http');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchLogRecordProcessor, LoggerProvider } = require('@opentelemetry/sdk-logs');
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

const [endpoint, asked] = process.argv.slice(2);
const signals = (asked ?? 'traces,logs,metrics').split(',');
const only = (signal, make) => (signals.includes(signal) ? [make()] : []);
// Exporters say here what they could not send; stdout is for the one JSON object.
const logger = Object.assign(new DiagConsoleLogger(), { error: console.error, warn: console.error });
diag.setLogger(logger, DiagLogLevel.WARN);

const resource = resourceFromAttributes({ 'service.name': 'js-json', 'service.namespace': 'tests' });
const url = (signal) => ({ url: `${endpoint}/v1/${signal}`, timeoutMillis: 30_000 });
const spanProcessors = only('traces', () => new BatchSpanProcessor(new OTLPTraceExporter(url('traces'))));
const traces = new NodeTracerProvider({ resource, spanProcessors });
const processors = only('logs', () => new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(url('logs')) }));
const logs = new LoggerProvider({ resource, processors });
const exporter = () => new OTLPMetricExporter(url('metrics'));
const readers = only('metrics', () => new PeriodicExportingMetricReader({ exporter: exporter(), exportIntervalMillis: 3_600_000 }));
const meters = new MeterProvider({ resource, readers });

const tracer = traces.getTracer('tests');
meters.getMeter('tests').createCounter('requests').add(1, { path: '/claims' });

const child = (parent, name, attributes) => tracer.startSpan(name, { attributes }, trace.setSpan(context.active(), parent));
const web = tracer.startSpan('POST /claims', { attributes: { 'http.request.method': 'POST', 'url.path': '/claims' } });
const chat = child(web, 'chat test-model', {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'test-model',
  'gen_ai.response.model': 'test-model-2026-01-01',
  'gen_ai.usage.input_tokens': 11,
  'gen_ai.usage.output_tokens': 7,
  'gen_ai.response.finish_reasons': ['stop'],
  'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: 'a very secret question' }] }]),
  'user.id': 'alice@example.com',
});
const tool = child(chat, 'execute_tool lookup', { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'lookup' });
logs.getLogger('tests').emit({
  eventName: 'gen_ai.client.inference.operation.details',
  attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'test-model' },
  severityNumber: SeverityNumber.INFO,
  context: trace.setSpan(context.active(), chat),
});
logs.getLogger('tests').emit({ body: 'plain words of an application', severityNumber: SeverityNumber.INFO });
const sent = {};
for (const [name, span] of [['tool', tool], ['chat', chat], ['web', web]]) {
  span.end();
  sent[name] = { trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId };
}

const done = (promise) => promise.then(() => true, (error) => (console.error(error), false));
const providers = { traces, logs, metrics: meters };
const flushed = {};
for (const signal of signals) flushed[signal] = await done(providers[signal].forceFlush());
await Promise.all(Object.values(providers).map((provider) => provider.shutdown()));
console.log(JSON.stringify({ sent, flushed }));
