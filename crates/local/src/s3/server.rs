//! The HTTP server: connections, addressing styles, graceful end.
//!
//! Owns: building the `s3s` service, always with authentication and access
//! checks. Refuses: a service without an [`Authority`].

use super::access::Gate;
use super::exchange::Exchange;
use super::own_origin;
use super::service::Service;
use crate::iam::Authority;
use crate::storage::Storage;
use http::Request;
use hyper::body::Incoming;
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
use tokio_util::sync::CancellationToken;

/// What the endpoint needs to know beside storage and authority.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// ARNs of the functions that a notification rule may name.
    pub functions: BTreeSet<String>,
    /// Host names, without port, under which `bucket.<name>` is virtual-host
    /// style, beside `localhost` and `s3.localhost`.
    pub domains: Vec<String>,
    /// Origins whose pages may use the endpoint from a browser, beside what
    /// the buckets themselves allow.
    pub origins: BTreeSet<String>,
}

/// Time for the headers of a request to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for requests under way to end after the shutdown signal.
const DRAIN: Duration = Duration::from_secs(10);
/// Largest XML body: a thousand keys of 1,024 bytes, each escaped.
const MAX_XML: usize = 8 * 1024 * 1024;
/// Largest file of a form upload, which `s3s` gathers in memory.
const MAX_FORM_FILE: u64 = 64 * 1024 * 1024;

/// Serves S3 on `listener` until `shutdown`, then lets requests under way end.
pub async fn serve(
    listener: TcpListener,
    storage: Arc<Storage>,
    authority: Arc<Authority>,
    settings: S3Settings,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let region: Arc<str> = storage.place().region.as_str().into();
    let origins = Arc::new(settings.origins.clone());
    let service = build(storage, authority, settings);
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
        connect(stream, (service.clone(), Arc::clone(&origins)), (peer, Arc::clone(&region)), &graceful);
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off");
    }
    Ok(())
}

fn connect(
    stream: TcpStream,
    (service, origins): (S3Service, Arc<BTreeSet<String>>),
    (peer, region): (SocketAddr, Arc<str>),
    graceful: &GracefulShutdown,
) {
    // Small answers should not wait for the next packet.
    let _ = stream.set_nodelay(true);
    let handler = service_fn(move |request| {
        let exchange = Exchange::new(peer, Arc::clone(&region));
        answer(service.clone(), Arc::clone(&origins), exchange, request)
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

async fn answer(
    service: S3Service,
    origins: Arc<BTreeSet<String>>,
    exchange: Exchange,
    request: Request<Incoming>,
) -> Result<http::Response<Body>, s3s::HttpError> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let origin = own_origin::own(&origins, request.headers());
    if let Some(answer) =
        origin.as_ref().and_then(|origin| own_origin::preflight(origin, &method, request.headers()))
    {
        return Ok(answer);
    }
    let mut request = request.map(Body::from);
    request.extensions_mut().insert(exchange.clone());
    let response = service.call(request).await?;
    let mut response = exchange.finish(&method, &path, response);
    if let Some(origin) = origin {
        own_origin::allow(&origin, response.headers_mut());
    }
    Ok(response)
}

fn build(storage: Arc<Storage>, authority: Arc<Authority>, settings: S3Settings) -> S3Service {
    let gate = Gate { authority };
    let domains = settings.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
    let mut builder = S3ServiceBuilder::new(Service::new(storage, gate.clone(), settings.functions));
    builder.set_auth(gate.clone());
    builder.set_access(gate);
    builder.set_host(Hosts { domains });
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML;
    config.post_object_max_file_size = MAX_FORM_FILE;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
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
