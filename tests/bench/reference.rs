//! The reference: tonic's server and prost's messages as they come, decoding every request into structs and answering at once. What any
//! receiver must do that looks at spans this way, and nothing else.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tonic::{Request, Response, Status};

#[derive(Default)]
struct AnswersAtOnce;

#[tonic::async_trait]
impl TraceService for AnswersAtOnce {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        std::hint::black_box(request.into_inner().resource_spans.len());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Serves until killed; says its address first.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(AnswersAtOnce).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    });
}
