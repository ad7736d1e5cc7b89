//! What brings events to the function, and where those go that it cannot do, in
//! HCL. Owns the words; the plan says what is there.

use super::super::plan::{BucketRole, EVENTS, Plan, RECEIVES};
use super::super::quote::hcl;

pub(super) fn render(plan: &Plan<'_>) -> String {
    let source = if plan.is_new(BucketRole::Source) {
        "aws_s3_bucket.source.arn".to_owned()
    } else {
        hcl(&format!("arn:aws:s3:::{}", plan.source))
    };
    let dead_letters = format!(
        r#"# Events whose retries are used up wait here for somebody to look.
resource "aws_sqs_queue" "dead_letters" {{
  name                      = {}
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}}"#,
        hcl(&format!("{}-dead-letters", plan.name))
    );
    let wired = if plan.is_queued() { queued(plan, &source) } else { direct(&source) };
    format!("{dead_letters}\n\n{wired}\n\n{}", notification(plan))
}

/// The queue before the function. `source` is the bucket's ARN, in HCL.
fn queued(plan: &Plan<'_>, source: &str) -> String {
    format!(
        r#"# Six times the function's timeout, as Lambda advises.
resource "aws_sqs_queue" "events" {{
  name                       = {queue}
  visibility_timeout_seconds = {visibility}
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({{
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = {RECEIVES}
  }})
}}

# S3 may fill the queue for this bucket of this account, and not for
# somebody else's bucket of that name (the confused deputy).
resource "aws_sqs_queue_policy" "events" {{
  queue_url = aws_sqs_queue.events.id

  policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [
      {{
        Sid       = "SourceBucketOnly"
        Effect    = "Allow"
        Principal = {{ Service = "s3.amazonaws.com" }}
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.events.arn
        Condition = {{
          ArnLike      = {{ "aws:SourceArn" = {source} }}
          StringEquals = {{ "aws:SourceAccount" = data.aws_caller_identity.current.account_id }}
        }}
      }},
    ]
  }})
}}

resource "aws_lambda_event_source_mapping" "events" {{
  event_source_arn = aws_sqs_queue.events.arn
  function_name    = aws_lambda_function.function.arn
  batch_size       = {batch}
  # One failed picture comes again alone, without the rest of its batch.
  function_response_types = ["ReportBatchItemFailures"]

  # A batch that Lambda throttles counts as received, and would be set aside
  # without having been tried.
  scaling_config {{
    maximum_concurrency = {most}
  }}
}}"#,
        queue = hcl(&format!("{}-events", plan.name)),
        visibility = plan.visibility(),
        batch = plan.options.batch,
        most = plan.most_batches(),
    )
}

/// The bucket's right to invoke, and what becomes of failed invocations.
fn direct(source: &str) -> String {
    format!(
        r#"# S3 may invoke the function for this bucket of this account, and not for
# somebody else's bucket of that name (the confused deputy).
resource "aws_lambda_permission" "source" {{
  statement_id   = "SourceBucketOnly"
  function_name  = aws_lambda_function.function.function_name
  action         = "lambda:InvokeFunction"
  principal      = "s3.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
  source_arn     = {source}
}}

resource "aws_lambda_function_event_invoke_config" "function" {{
  function_name                = aws_lambda_function.function.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {{
    on_failure {{
      destination = aws_sqs_queue.dead_letters.arn
    }}
  }}
}}"#
    )
}

fn notification(plan: &Plan<'_>) -> String {
    let (target, target_arn, waits) = if plan.is_queued() {
        ("queue", "queue_arn     = aws_sqs_queue.events.arn", "aws_sqs_queue_policy.events")
    } else {
        (
            "lambda_function",
            "lambda_function_arn = aws_lambda_function.function.arn",
            "aws_lambda_permission.source",
        )
    };
    let bucket =
        if plan.is_new(BucketRole::Source) { "aws_s3_bucket.source.id".to_owned() } else { hcl(plan.source) };
    let filter = if plan.prefix.is_empty() {
        String::new()
    } else {
        format!("\n    filter_prefix = {}", hcl(plan.prefix))
    };
    let warning = if plan.is_new(BucketRole::Source) {
        ""
    } else {
        "# This resource owns all notifications of the bucket: those that it has are replaced.\n"
    };
    let events = EVENTS.map(hcl).join(", ");
    format!(
        r#"{warning}resource "aws_s3_bucket_notification" "source" {{
  bucket     = {bucket}
  depends_on = [{waits}]

  {target} {{
    id            = {id}
    {target_arn}
    events        = [{events}]{filter}
  }}
}}"#,
        id = hcl(plan.name),
    )
}
