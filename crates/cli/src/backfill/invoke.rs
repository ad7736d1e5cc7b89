//! `--via lambda`: the function itself is invoked, asynchronously, with what is
//! due. Owns one request of the Lambda API (`Invoke` in the AWS Lambda API
//! Reference) and when it is tried again; Lambda keeps the event and retries.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::{AggregatedBytes, ByteStream};
use aws_types::service_config::ServiceConfigKey;
use minilab_s3_store::Listed;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::event::event;
use crate::buckets::Done;

/// Before each further try, in milliseconds; Lambda throttles by the second.
const PAUSES: [u64; 5] = [200, 800, 2000, 5000, 10_000];

pub(super) struct Function {
    name: String,
    url: String,
    region: String,
    credentials: SharedCredentialsProvider,
    connector: Connector,
}

impl Function {
    pub(super) fn new(services: &SdkConfig, name: &str) -> anyhow::Result<Self> {
        let region =
            services.region().context("the function's region is not known; give --region")?.to_string();
        let asked = ServiceConfigKey::builder()
            .service_id("Lambda")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()?;
        let named = services.service_config().and_then(|config| config.load_config(asked));
        let endpoint = named.or_else(|| services.endpoint_url().map(str::to_owned));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://lambda.{region}.amazonaws.com"));
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            bail!("the endpoint of Lambda is {endpoint:?}; write it as http://host:port or https://host");
        }
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(30))
            .build();
        Ok(Self {
            name: name.to_owned(),
            url: format!(
                "{}/2015-03-31/functions/{}/invocations",
                endpoint.trim_end_matches('/'),
                utf8_percent_encode(name, NON_ALPHANUMERIC)
            ),
            region,
            credentials: services.credentials_provider().context("no credentials were found")?,
            connector: Connector::builder()
                .connector_settings(settings)
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                .build(),
        })
    }

    /// Hands over one event for all of `sources`.
    pub(super) async fn send(&self, bucket: &str, sources: &[Listed]) -> Vec<Done> {
        let event = event(bucket, sources);
        match self.patiently(&event).await {
            Ok(()) => sources.iter().map(|source| Done::sent(&source.key)).collect(),
            Err(error) => {
                let why = format!("could not invoke the function {}: {error:#}", self.name);
                sources.iter().map(|source| Done::not_done(&source.key, why.clone())).collect()
            }
        }
    }

    async fn patiently(&self, event: &str) -> anyhow::Result<()> {
        let mut pauses = PAUSES.into_iter();
        loop {
            match (self.once(event).await, pauses.next()) {
                (Ok(Answer::Accepted), _) => return Ok(()),
                (Ok(Answer::Refused(why)) | Err(Again(why)), None) | (Ok(Answer::Refused(why)), Some(_)) => {
                    bail!(why)
                }
                (Err(Again(why)), Some(pause)) => {
                    tracing::debug!(why, pause, "pausing before another try");
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            }
        }
    }

    /// One request.
    async fn once(&self, event: &str) -> Result<Answer, Again> {
        let refused = |error: &dyn std::fmt::Display| Ok(Answer::Refused(error.to_string()));
        let request = match self.signed(event).await {
            Ok(request) => request,
            Err(error) => return refused(&format!("{error:#}")),
        };
        let request = match aws_smithy_runtime_api::http::Request::try_from(request) {
            Ok(request) => request,
            Err(error) => return refused(&error),
        };
        let response = self.connector.call(request).await.map_err(|error| Again(describe(&error)))?;
        let status = response.status().as_u16();
        let body = ByteStream::new(response.into_body()).collect().await.map(AggregatedBytes::into_bytes);
        let body = body.unwrap_or_default();
        let why = format!("HTTP {status} {}", String::from_utf8_lossy(&body).trim());
        match status {
            // What the API answers for an event that it has taken.
            202 => Ok(Answer::Accepted),
            429 | 500..=599 => Err(Again(why)),
            _ => refused(&why),
        }
    }

    async fn signed(&self, event: &str) -> anyhow::Result<http::Request<SdkBody>> {
        let identity = self.credentials.provide_credentials().await.context("no credentials")?.into();
        let headers = [("content-type", "application/json"), ("x-amz-invocation-type", "Event")];
        let settings = SigningSettings::default();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let body = SignableBody::Bytes(event.as_bytes());
        let signable = SignableRequest::new("POST", self.url.as_str(), headers.into_iter(), body)?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut request = http::Request::post(&self.url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(event))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// What the API said.
enum Answer {
    Accepted,
    /// It says the same again later.
    Refused(String),
}

/// The same again later may be accepted.
struct Again(String);

/// An error with what is behind it, which says what failed.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
