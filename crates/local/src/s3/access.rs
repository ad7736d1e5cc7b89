//! Who may do what: signatures' secrets, session tokens, and the decision of
//! the one IAM function for every request.
//!
//! Owns: asking the [`Authority`]. Refuses: deciding by itself. `s3s` verifies
//! signatures but no session token, and asks nobody unless both an
//! authenticator and this check are set; `server` always sets both.

use super::actions::{self, Need};
use super::exchange::{self, Exchange};
use super::facts::Facts;
use super::limits::MAX_XML;
use super::policies::Policies;
use super::signing;
use super::tolerance::Verified;
use crate::iam::{Authority, RequestContext, SessionError};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials, S3Auth, SecretKey};
use s3s::{S3Error, S3Result, s3_error};
use std::sync::Arc;

/// Finds secrets and asks for decisions.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) authority: Arc<Authority>,
    pub(crate) policies: Arc<Policies>,
}

#[async_trait::async_trait]
impl S3Auth for Gate {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.authority.secret_key(access_key).map(SecretKey::from).ok_or_else(|| {
            s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
        })
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let exchange = cx.extensions_mut().get::<Exchange>().cloned().unwrap_or_default();
        exchange.is(cx.s3_op().name());
        let query = cx.uri().query().unwrap_or_default().to_owned();
        let parameter = |name: &str| signing::parameter(&query, name);
        signing::check(cx.headers(), &parameter)?;
        let verified = cx.extensions_mut().get::<Verified>().cloned();
        let credentials = cx.credentials().or_else(|| verified.as_ref().map(Verified::credentials));
        if let Some(credentials) = credentials {
            let token = match cx.headers().get("x-amz-security-token") {
                Some(value) => Some(String::from_utf8_lossy(value.as_bytes()).into_owned()),
                None => parameter("X-Amz-Security-Token").or_else(|| parameter("x-amz-security-token")),
            };
            self.authority.check_session(&credentials.access_key, token.as_deref()).map_err(session_error)?;
        }
        check_document(cx.s3_op().name(), cx.headers())?;
        let headers = cx.headers();
        let path = cx.s3_path();
        let facts = Facts {
            operation: cx.s3_op().name(),
            bucket: path.get_bucket_name(),
            key: path.get_object_key(),
            query: &parameter,
            header: &|name| headers.get(name).and_then(|value| value.to_str().ok()),
        };
        // The keys stand in a document, and a stranger's is not read to learn them. A form's file has been read by
        // now, which `server` bounds, and the operation asks for its key.
        if credentials.is_none() && facts.operation == "DeleteObjects" {
            let resource = actions::object_arn(facts.bucket.unwrap_or_default(), "*");
            let action = "s3:DeleteObject".to_owned();
            return self.require(None, &Need { action, resource, context: RequestContext::new() }, &exchange);
        }
        // The operation asks with the tags, which a policy may allow by; a stranger's document is not read for them.
        if credentials.is_some() && facts.operation == "PutObjectTagging" {
            return Ok(());
        }
        for need in actions::needs(&facts)? {
            self.require(credentials, &need, &exchange)?;
        }
        Ok(())
    }
}

/// `MaxMessageLengthExceeded` for a document that would be gathered in memory only to be refused.
fn check_document(operation: &str, headers: &HeaderMap) -> S3Result<()> {
    let length: Option<usize> =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let streamed = matches!(operation, "PutObject" | "UploadPart" | "PostObject");
    if !streamed && length.is_some_and(|length| length > MAX_XML) {
        return Err(s3_error!(
            MaxMessageLengthExceeded,
            "Your request was too big: a document has at most {MAX_XML} bytes"
        ));
    }
    Ok(())
}

impl Gate {
    /// `AccessDenied` unless the policies allow it.
    pub(crate) fn require(
        &self,
        credentials: Option<&Credentials>,
        need: &Need,
        exchange: &Exchange,
    ) -> S3Result<()> {
        let mut context = need.context.clone();
        context.replace("aws:SourceIp", exchange.peer.ip().to_string());
        context.replace("aws:SecureTransport", "false");
        context.replace("aws:ViaAWSService", "false");
        context.replace("aws:PrincipalIsAWSService", "false");
        context.replace("aws:RequestedRegion", &*exchange.region);
        context.replace("s3:ResourceAccount", self.authority.account());
        for (key, value) in [("aws:UserAgent", &exchange.user_agent), ("aws:Referer", &exchange.referer)] {
            if let Some(value) = value {
                context.replace(key, value.as_str());
            }
        }
        let key = credentials.map(|credentials| credentials.access_key.as_str());
        let bucket = need.resource.strip_prefix("arn:aws:s3:::").and_then(|path| path.split('/').next());
        let held = bucket.and_then(|bucket| self.policies.of(bucket));
        let policy = held.as_ref().filter(|held| key.is_some() || !held.restricted).map(|held| &held.policy);
        let decision = self.authority.authorize_with(key, &need.action, &need.resource, &context, policy);
        if decision.is_allowed() {
            return Ok(());
        }
        Err(match key.and_then(|key| self.authority.principal(key)) {
            Some(principal) => s3_error!(
                AccessDenied,
                "User: {} is not authorized to perform: {} on resource: \"{}\" because {}",
                self.authority.arn(&principal),
                need.action,
                need.resource,
                decision.because
            ),
            None => s3_error!(AccessDenied, "Access Denied: {}", decision.because),
        })
    }

    /// May the caller list the bucket? Without it, S3 does not tell a missing
    /// key from a forbidden one.
    pub(crate) fn may_list(
        &self,
        credentials: Option<&Credentials>,
        bucket: &str,
        exchange: &Exchange,
    ) -> bool {
        let need = Need {
            action: "s3:ListBucket".to_owned(),
            resource: actions::bucket_arn(bucket),
            context: RequestContext::new(),
        };
        self.require(credentials, &need, exchange).is_ok()
    }

    /// How events name the caller.
    pub(crate) fn principal_id(&self, credentials: Option<&Credentials>) -> String {
        use crate::iam::Principal;
        match credentials.and_then(|credentials| self.authority.principal(&credentials.access_key)) {
            Some(Principal::Root) => format!("AWS:{}", self.authority.account()),
            Some(Principal::Role { role, session }) => format!("AWS:{}:{session}", exchange::role_id(&role)),
            None => "Anonymous".to_owned(),
        }
    }
}

fn session_error(error: SessionError) -> S3Error {
    match error {
        SessionError::UnknownKey => {
            s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
        }
        SessionError::Missing | SessionError::Wrong => {
            s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid: {error}")
        }
        SessionError::Expired => s3_error!(ExpiredToken, "The provided token has expired."),
    }
}
