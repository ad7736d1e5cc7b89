//! The HTTP server: connections, addressing styles, graceful end.
//!
//! Owns: building the `s3s` service, always with authentication and access
//! checks. Refuses: a service without an [`Authority`].

use super::access::Gate;
use super::cors::{self, CorsRule};
use super::exchange::{self, Exchange};
use super::limits::MAX_XML;
use super::own_origin;
use super::policy;
use super::service::Service;
use super::tolerance::Tolerance;
use super::whole;
use crate::counters::Counters;
use crate::iam::Authority;
use crate::lineage::Running;
use crate::storage::{Setting, Storage, StorageError};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// What the endpoint needs to know beside storage and authority.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// ARNs of the functions that a notification rule may name.
    pub functions: BTreeSet<String>,
    /// Host names, without port, under which `bucket.<name>` is virtual-host
    /// style, beside `localhost` and `s3.localhost`.
    pub domains: Vec<String>,
    /// Whose writes are a function's, so that the events about them carry their cause.
    pub running: Arc<Running>,
    /// Origins whose pages may use the endpoint from a browser, beside those
    /// that the buckets themselves allow.
    pub origins: BTreeSet<String>,
    /// Requests, by operation and status.
    pub requests: Requests,
}

/// How many requests there were, by operation and status.
#[derive(Debug, Clone, Default)]
pub struct Requests(pub(crate) Counters<2>);

/// Time for the headers of a request to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for requests under way to end after the shutdown signal.
const DRAIN: Duration = Duration::from_secs(10);
/// Largest file of a form upload, which `s3s` gathers in memory before it asks who sends it.
const MAX_FORM_FILE: u64 = 64 * 1024 * 1024;
/// How many forms are read at a time: what strangers can hold in memory is this many of the largest.
const FORMS: usize = 4;
/// A form waits this long for its turn, and its sender may pause this long.
const FORM_PATIENCE: Duration = Duration::from_mins(1);
/// Most bytes of a form's fields together, as S3 documents it.
const MAX_FORM_FIELDS: usize = 20 * 1024;

/// Serves S3 on `listener` until `shutdown`, then lets requests under way end.
pub async fn serve(
    listener: TcpListener,
    storage: Arc<Storage>,
    authority: Arc<Authority>,
    settings: S3Settings,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let region: Arc<str> = storage.place().region.as_str().into();
    let policies = {
        let storage = Arc::clone(&storage);
        tokio::task::spawn_blocking(move || policy::load(&storage)).await.map_err(io::Error::other)??
    };
    let gate = Gate { authority, policies };
    let service = Front {
        service: build(&storage, &gate, &settings),
        storage,
        domains: settings.domains.into(),
        origins: Arc::new(settings.origins),
        requests: settings.requests.0,
        forms: Arc::new(Semaphore::new(FORMS)),
    };
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or the peer is gone: the listener itself is sound.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        connect(stream, service.clone(), (peer, Arc::clone(&region)), &graceful);
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off");
    }
    Ok(())
}

fn connect(
    stream: TcpStream,
    service: Front,
    (peer, region): (SocketAddr, Arc<str>),
    graceful: &GracefulShutdown,
) {
    // Small answers should not wait for the next packet.
    let _ = stream.set_nodelay(true);
    let handler = service_fn(move |request: Request<Incoming>| {
        let exchange = Exchange::new(peer, Arc::clone(&region), request.headers());
        answer(service.clone(), exchange, request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), handler);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    });
}

/// What stands before the protocol: what `s3s` does not know or answers otherwise than S3.
#[derive(Clone)]
struct Front {
    service: S3Service,
    storage: Arc<Storage>,
    domains: Arc<[String]>,
    origins: Arc<BTreeSet<String>>,
    requests: Counters<2>,
    /// One permit for each form that is being read.
    forms: Arc<Semaphore>,
}

async fn answer(
    front: Front,
    exchange: Exchange,
    request: Request<Incoming>,
) -> Result<http::Response<Body>, s3s::HttpError> {
    let requests = front.requests.clone();
    let response = respond(front, exchange.clone(), request).await?;
    let labels =
        [("operation", exchange.operation().to_owned()), ("status", response.status().as_str().to_owned())];
    requests.get_or_create(&labels).inc();
    Ok(response)
}

async fn respond(
    front: Front,
    exchange: Exchange,
    request: Request<Incoming>,
) -> Result<http::Response<Body>, s3s::HttpError> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    if let Some(refusal) = ambiguous(request.headers()) {
        return Ok(exchange.finish(&method, &path, refusal));
    }
    let own = own_origin::own(&front.origins, request.headers());
    if let Some(answer) = own.as_ref().and_then(|own| own_origin::preflight(own, &method, request.headers()))
    {
        return Ok(exchange.finish(&method, &path, answer));
    }
    if method == Method::OPTIONS {
        exchange.is("Preflight");
        let response = front.preflight(&request).await;
        return Ok(exchange.finish(&method, &path, response));
    }
    let origin = request.headers().get(ORIGIN).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bucket = origin.as_ref().and_then(|_| front.bucket(&request));
    let has_body = !request.body().is_end_stream();
    let is_form = is_form(&method, request.headers());
    let Ok(_turn) = turn(&front.forms, is_form, FORM_PATIENCE).await else {
        let words = "Please reduce your request rate: too many forms are being read.";
        let mut refusal = exchange.finish(&method, &path, exchange::refusal(503, "SlowDown", words));
        refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return Ok(refusal);
    };
    let mut request =
        request.map(|body| if is_form { impatient(body, FORM_PATIENCE) } else { Body::from(body) });
    whole::announce_nothing(request.headers_mut());
    let framing = whole::announced_frame(request.headers());
    let mut request = request.map(|body| whole::verified(framing, body));
    request.extensions_mut().insert(exchange.clone());
    let hashed = request
        .headers()
        .get("x-amz-content-sha256")
        .is_some_and(|value| value.len() == 64 && value.as_bytes().iter().all(u8::is_ascii_hexdigit));
    let response = front.service.call(request).await?;
    let response = exchange::unread_document(&response, hashed).unwrap_or(response);
    let mut response = exchange.finish(&method, &path, response);
    // What is left of a refused upload would be taken for the next request: hyper then closes, and the client
    // must know, or it sends that request into a closed connection.
    if has_body && (response.status().is_client_error() || response.status().is_server_error()) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(own) = own {
        own_origin::allow(&own, response.headers_mut());
    } else if let (Some(origin), Some(bucket)) = (origin, bucket) {
        let rules = front.rules(bucket).await;
        cors::decorate(&rules, &origin, method.as_str(), response.headers_mut());
    }
    Ok(response)
}

/// A form upload.
fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    const KIND: &str = "multipart/form-data";
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::trim_start);
    method == Method::POST
        && kind.and_then(|kind| kind.get(..KIND.len())).is_some_and(|kind| kind.eq_ignore_ascii_case(KIND))
}

/// The right to read a form; other requests need none.
async fn turn(
    forms: &Semaphore,
    is_form: bool,
    patience: Duration,
) -> Result<Option<SemaphorePermit<'_>>, tokio::time::error::Elapsed> {
    if !is_form {
        return Ok(None);
    }
    // Never closed.
    tokio::time::timeout(patience, forms.acquire()).await.map(Result::ok)
}

/// The body, broken off when nothing comes for so long.
fn impatient<B>(body: B, patience: Duration) -> Body
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<s3s::StdError>,
{
    let frames = futures::stream::try_unfold(body, move |mut body| async move {
        match tokio::time::timeout(patience, body.frame()).await {
            Ok(Some(frame)) => Ok(Some((frame.map_err(Into::into)?, body))),
            Ok(None) => Ok(None),
            Err(elapsed) => Err(s3s::StdError::from(elapsed)),
        }
    });
    Body::http_body_unsync(StreamBody::new(frames))
}

/// Two hosts, and the signature may cover one while the other names the bucket.
fn ambiguous(headers: &HeaderMap) -> Option<http::Response<Body>> {
    let hosts = headers.get_all(HOST).iter().count();
    (hosts != 1).then(|| exchange::refusal(400, "InvalidRequest", "A request has exactly one Host header"))
}

impl Front {
    /// The bucket that a request names in its host or path.
    fn bucket(&self, request: &Request<Incoming>) -> Option<String> {
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        bucket_of_host(host, &self.domains).or_else(|| {
            let first = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
            Some(percent_encoding::percent_decode_str(first).decode_utf8_lossy().into_owned())
        })
    }

    /// The bucket's CORS rules; none for a bucket that is not there.
    async fn rules(&self, bucket: String) -> Vec<CorsRule> {
        let storage = Arc::clone(&self.storage);
        let found = tokio::task::spawn_blocking(move || storage.setting(&bucket, Setting::Cors)).await;
        match found {
            Ok(Ok(rules)) => rules.unwrap_or_default(),
            Ok(Err(StorageError::NoSuchBucket(_))) => Vec::new(),
            Ok(Err(error)) => {
                tracing::error!(%error, "the cors rules could not be read");
                Vec::new()
            }
            Err(error) => {
                tracing::error!(%error, "the cors rules could not be read");
                Vec::new()
            }
        }
    }

    async fn preflight(&self, request: &Request<Incoming>) -> http::Response<Body> {
        let rules = match self.bucket(request) {
            Some(bucket) => self.rules(bucket).await,
            None => Vec::new(),
        };
        match cors::preflight(&rules, request.headers()) {
            Ok(headers) => {
                let mut response = http::Response::new(Body::empty());
                *response.headers_mut() = headers;
                response
            }
            Err(refusal) => {
                let (status, code, message) = refusal.words();
                exchange::refusal(status, code, message)
            }
        }
    }
}

/// Two services over one storage: what the outer cannot read and S3 ignores, it hands to the inner.
fn build(storage: &Arc<Storage>, gate: &Gate, settings: &S3Settings) -> S3Service {
    let new = || {
        let service = Service::new(
            Arc::clone(storage),
            gate.clone(),
            settings.functions.clone(),
            Arc::clone(&settings.running),
        );
        let domains = settings.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        let mut builder = S3ServiceBuilder::new(service);
        builder.set_auth(gate.clone());
        builder.set_access(gate.clone());
        builder.set_host(Hosts { domains });
        let mut config = S3Config::default();
        config.xml_max_body_size = MAX_XML;
        config.post_object_max_file_size = MAX_FORM_FILE;
        config.form_max_fields_size = MAX_FORM_FIELDS;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder
    };
    let mut outer = new();
    outer.set_route(Tolerance { inner: new().build() });
    outer.build()
}

/// Which hosts carry a bucket's name.
struct Hosts {
    domains: Vec<String>,
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        Ok(match bucket_of_host(host, &self.domains) {
            Some(bucket) => VirtualHost::new(host).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

/// The bucket in `bucket.localhost:9000`; `None` for path style.
fn bucket_of_host(host: &str, domains: &[String]) -> Option<String> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let mut known = vec!["s3.localhost", "localhost"];
    known.extend(domains.iter().map(String::as_str));
    known.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
    for domain in known {
        if name == domain {
            return None;
        }
        if let Some(bucket) = name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'))
            && !bucket.is_empty()
        {
            return Some(bucket.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;

    #[tokio::test]
    async fn a_body_that_pauses_too_long_is_broken_off() {
        let frame = |text| Ok::<_, s3s::StdError>(hyper::body::Frame::data(Bytes::from_static(text)));
        let whole = StreamBody::new(futures::stream::iter([frame(b"a"), frame(b"b")]));
        let read = BodyExt::collect(impatient(whole, Duration::from_mins(1))).await.unwrap();
        assert_eq!(read.to_bytes(), "ab");
        let paused = futures::stream::iter([frame(b"a")]).chain(futures::stream::pending());
        let broken = BodyExt::collect(impatient(StreamBody::new(paused), Duration::from_millis(1))).await;
        assert!(broken.is_err());
    }

    #[test]
    fn forms_are_told_by_method_and_type() {
        let cases = [
            ("POST", "multipart/form-data; boundary=b", true),
            ("POST", "Multipart/Form-Data", true),
            ("POST", "multipart/mixed", false),
            ("PUT", "multipart/form-data; boundary=b", false),
        ];
        for (method, kind, form) in cases {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(is_form(&method.parse().unwrap(), &headers), form, "{method} {kind}");
        }
    }

    #[test]
    fn hosts_name_buckets_only_under_known_domains() {
        let domains = ["s3.example.test".to_owned()];
        let cases = [
            ("localhost", None),
            ("localhost:9000", None),
            ("photos.localhost:9000", Some("photos")),
            ("photos.s3.localhost", Some("photos")),
            ("s3.localhost:1", None),
            ("my.dotted.localhost", Some("my.dotted")),
            ("Photos.LOCALHOST", Some("photos")),
            ("a.s3.example.test:80", Some("a")),
            ("example.org", None),
            ("notlocalhost", None),
            (".localhost", None),
        ];
        for (host, bucket) in cases {
            assert_eq!(bucket_of_host(host, &domains).as_deref(), bucket, "{host}");
        }
    }
}
