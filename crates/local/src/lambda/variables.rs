//! What a program finds in its environment variables and in the trace header,
//! and its log stream's name.
//!
//! Owns: the names that Lambda reserves and their values. Refuses: anything of
//! the parent's own environment.

use std::time::SystemTime;

use time::OffsetDateTime;
use uuid::Uuid;

use super::orphan::MARK;
use super::plan::Plan;

/// `Root=1-<seconds, hexadecimal>-<24 digits>;Sampled=0`
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).
pub(super) fn trace_id(now: SystemTime) -> String {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Sampled=0", &random[..24])
}

/// Everything that Lambda sets for a runtime of the `provided` family
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
pub(super) fn variables(plan: &Plan<'_>, runtime_api: &str) -> Vec<(&'static str, String)> {
    let Plan { spec, identity, credentials, log_stream, s3_endpoint, .. } = plan;
    let task_root = spec.task_root().display().to_string();
    let mut variables = vec![
        (MARK, identity.mark.clone()),
        ("_HANDLER", "bootstrap".to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", spec.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_REGION", identity.region.clone()),
        ("AWS_DEFAULT_REGION", identity.region.clone()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone()),
        ("LAMBDA_TASK_ROOT", task_root),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
    ];
    if let Some(endpoint) = s3_endpoint {
        variables.push(("AWS_ENDPOINT_URL_S3", (*endpoint).to_owned()));
    }
    variables
}

/// `2026/01/31/[$LATEST]<32 hexadecimal digits>`
pub(super) fn log_stream() -> String {
    let today = OffsetDateTime::now_utc();
    format!(
        "{:04}/{:02}/{:02}/[$LATEST]{}",
        today.year(),
        u8::from(today.month()),
        today.day(),
        Uuid::new_v4().simple()
    )
}
