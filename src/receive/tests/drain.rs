use tonic::Code;

use super::*;

/// The open request reaches its receipt; what comes later is told to come again.
#[tokio::test]
async fn open_requests_end_well_and_new_ones_are_refused() {
    let mut rig = rig().await;
    let mut client = rig.client().await;
    let mut second = client.clone();
    let grpc = tokio::spawn(async move { client.export(traces(vec![ai_span()])).await });
    let over_grpc = rig.submissions.recv().await.unwrap();
    let request = reqwest::Client::new().post(rig.url("/v1/traces")).header("content-type", "application/x-protobuf");
    let http = tokio::spawn(request.body(traces(vec![ai_span()]).encode_to_vec()).send());
    let over_http = rig.submissions.recv().await.unwrap();
    let addresses = [rig.receiver.grpc_address().unwrap(), rig.receiver.http_address().unwrap()];

    let draining = tokio::spawn(rig.receiver.drain(Duration::from_secs(60)));
    // The ports close.
    for address in addresses {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
    assert!(!draining.is_finished());
    // The server's word, or the client's own for a connection that was told to end: OTLP retries both.
    let status = second.export(traces(vec![ai_span()])).await.unwrap_err();
    assert!(matches!(status.code(), Code::Unavailable | Code::Cancelled), "{status:?}");
    assert!(rig.submissions.try_recv().is_err());

    for submission in [over_grpc, over_http] {
        submission.answer.send(Ok(RECEIPT)).unwrap();
    }
    assert_eq!(grpc.await.unwrap().unwrap().metadata().get("spanseal-seal").unwrap(), "42");
    assert_eq!(http.await.unwrap().unwrap().headers()["spanseal-seal"], "42");
    assert_eq!(draining.await.unwrap(), 0);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever() {
    let mut rig = rig().await;
    let mut client = rig.client().await;
    let call = tokio::spawn(async move { client.export(traces(vec![ai_span()])).await });
    let mut submission = rig.submissions.recv().await.unwrap();
    assert_eq!(rig.receiver.drain(Duration::from_millis(20)).await, 1);
    submission.answer.closed().await;
    assert!(call.await.unwrap().is_err());
    assert_eq!((rig.metrics.connections(), rig.metrics.in_flight()), (0, 0));
}

/// Connections that are silent, before or after a request, do not hold a drain up.
#[tokio::test]
async fn idle_connections_end_at_once() {
    let rig = rig().await;
    let mut client = rig.client().await;
    client.export(traces(vec![plain_span()])).await.unwrap();
    let http = reqwest::Client::new();
    let reply = http.post(rig.url("/v1/traces")).header("content-type", "application/json").body("{}").send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let _silent = tokio::net::TcpStream::connect(rig.receiver.http_address().unwrap()).await.unwrap();
    while rig.metrics.connections() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.receiver.drain(Duration::from_secs(60)).await, 0);
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_sentence() {
    let rig = rig().await;
    let taken = rig.receiver.grpc_address().unwrap().to_string();
    let error = |address: &str| {
        let endpoint = Endpoint { address: address.to_owned(), ..plain() };
        async move { listen::bind(&endpoint).await.unwrap_err().to_string() }
    };
    assert_eq!(
        error(&taken).await,
        format!("cannot listen on {taken}: the port is in use; stop what listens there or choose another `endpoint`")
    );
    // TEST-NET-3: nobody's own address.
    assert!(error("203.0.113.7:0").await.starts_with("cannot listen on 203.0.113.7:0: this machine has no such address"));
    assert!(error("nonsense").await.contains("`endpoint` must be host:port"));
}
