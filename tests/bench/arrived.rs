//! What has arrived where a server stores, counted by reading it: a server that drops what it acknowledged must not look fast.

use std::collections::HashSet;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use object_store::ObjectStoreExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use crate::support::runtime;
use crate::support::s3::{Raw, S3Server};

/// Where a Collector stores.
pub(crate) enum Place {
    /// Nowhere: it drops what it gets.
    Nowhere,
    /// The file exporter's JSON: a line a batch.
    JsonFile(PathBuf),
    /// Its protobuf with zstd: four bytes of length before each batch.
    ProtoFile(PathBuf),
    /// What the S3 exporter puts, of either kind.
    Bucket(&'static S3Server, String),
}

/// Spans and bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Arrived {
    pub(crate) spans: u64,
    pub(crate) bytes: u64,
}

/// Reads a place on from where it has been read to.
pub(crate) struct Reader {
    place: Place,
    arrived: Arrived,
    objects: HashSet<String>,
}

/// In each span of OTLP/JSON once, in content never.
const SPAN_IN_JSON: &[u8] = br#""traceId":"#;
/// Of a file that is read at a time.
const CHUNK: u64 = 64 << 20;

impl Reader {
    pub(crate) fn new(place: Place) -> Reader {
        Reader { place, arrived: Arrived::default(), objects: HashSet::new() }
    }

    /// What has arrived by now; `None` where nothing is kept.
    pub(crate) fn look(&mut self) -> Option<Arrived> {
        match &self.place {
            Place::Nowhere => return None,
            Place::JsonFile(path) => {
                let path = path.clone();
                self.json_on(&path);
            }
            Place::ProtoFile(path) => {
                let path = path.clone();
                self.proto_on(&path);
            }
            Place::Bucket(server, bucket) => {
                let (server, bucket) = (*server, bucket.clone());
                runtime().block_on(self.objects_on(server, &bucket));
            }
        }
        Some(self.arrived)
    }

    fn json_on(&mut self, path: &PathBuf) {
        loop {
            let mut bytes = Vec::new();
            let mut file = std::fs::File::open(path).unwrap();
            file.seek(SeekFrom::Start(self.arrived.bytes)).unwrap();
            file.take(CHUNK).read_to_end(&mut bytes).unwrap();
            let Some(end) = memchr::memrchr(b'\n', &bytes) else {
                assert!((bytes.len() as u64) < CHUNK, "a line is longer than {CHUNK} bytes");
                return;
            };
            self.arrived.spans += memchr::memmem::find_iter(&bytes[..end], SPAN_IN_JSON).count() as u64;
            self.arrived.bytes += end as u64 + 1;
        }
    }

    fn proto_on(&mut self, path: &PathBuf) {
        let mut file = std::fs::File::open(path).unwrap();
        file.seek(SeekFrom::Start(self.arrived.bytes)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let mut left = bytes.as_slice();
        while let Some((length, rest)) = left.split_first_chunk() {
            let Some((batch, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { return };
            self.arrived.spans += spans_in_proto(&zstd::decode_all(batch).unwrap());
            self.arrived.bytes += 4 + batch.len() as u64;
            left = rest;
        }
    }

    async fn objects_on(&mut self, server: &S3Server, bucket: &str) {
        let store = client(server, bucket);
        for Listed { key, bytes } in versions(server, bucket).await {
            if !self.objects.insert(key.clone()) {
                continue;
            }
            let body = store.get(&object_store::path::Path::parse(&key).unwrap()).await.unwrap().bytes().await.unwrap();
            self.arrived.spans += spans_in_object(&key, &body);
            self.arrived.bytes += bytes;
        }
    }
}

fn client(server: &S3Server, bucket: &str) -> AmazonS3 {
    // It stays the one that was installed first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = server.options();
    let who = options.credentials.unwrap();
    AmazonS3Builder::new()
        .with_endpoint(options.endpoint.unwrap())
        .with_region(options.region.unwrap())
        .with_access_key_id(who.access_key_id)
        .with_secret_access_key(who.secret_access_key)
        .with_bucket_name(bucket)
        .with_allow_http(true)
        .build()
        .unwrap()
}

/// A version of an object.
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) bytes: u64,
}

/// Everything that lies in a bucket, versions that are not the newest ones included.
pub(crate) async fn versions(server: &S3Server, bucket: &str) -> Vec<Listed> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let answer = server.raw(Raw::new(http::Method::GET, format!("/{bucket}?{after}versions="))).await.expect_ok().body;
        all.extend(answer.split("<Version>").skip(1).map(|version| Listed {
            key: element(version, "Key").unwrap().to_owned(),
            bytes: element(version, "Size").unwrap().parse().unwrap(),
        }));
        if element(&answer, "IsTruncated") != Some("true") {
            return all;
        }
        let encoded =
            |name| url::form_urlencoded::byte_serialize(element(&answer, name).unwrap_or_default().as_bytes()).collect::<String>();
        after = format!("key-marker={}&version-id-marker={}&", encoded("NextKeyMarker"), encoded("NextVersionIdMarker"));
    }
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let rest = xml.split_once(&format!("<{name}>"))?.1;
    Some(rest.split_once("</")?.0)
}

fn spans_in_object(key: &str, body: &[u8]) -> u64 {
    let plain = if key.ends_with(".zst") {
        zstd::decode_all(body).unwrap()
    } else {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(body).read_to_end(&mut plain).unwrap();
        plain
    };
    if key.contains(".json") { memchr::memmem::find_iter(&plain, SPAN_IN_JSON).count() as u64 } else { spans_in_proto(&plain) }
}

fn spans_in_proto(bytes: &[u8]) -> u64 {
    let batch = ExportTraceServiceRequest::decode(bytes).unwrap();
    batch.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len() as u64).sum()
}
