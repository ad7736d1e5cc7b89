//! Reading and setting a bucket's notification configuration.
//!
//! Owns: the documented checks when it is set. Refuses: queues, topics and
//! `EventBridge` as destinations: nothing here would deliver to them.

use super::fields::refuse;
use super::service::Service;
use crate::notify::{self, Rule, RuleError};
use s3s::dto as d;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use uuid::Uuid;

impl Service {
    pub(super) async fn do_get_notifications(
        &self,
        req: S3Request<d::GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<d::GetBucketNotificationConfigurationOutput>> {
        self.check_owner(req.input.expected_bucket_owner.as_deref())?;
        let rules = self.run(move |storage| storage.notifications(&req.input.bucket)).await?;
        let configurations: Vec<_> = rules.into_iter().map(configuration).collect();
        Ok(S3Response::new(d::GetBucketNotificationConfigurationOutput {
            lambda_function_configurations: (!configurations.is_empty()).then_some(configurations),
            ..d::GetBucketNotificationConfigurationOutput::default()
        }))
    }

    pub(super) async fn do_put_notifications(
        &self,
        req: S3Request<d::PutBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<d::PutBucketNotificationConfigurationOutput>> {
        let input = req.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let wanted = input.notification_configuration;
        refuse(&[
            ("EventBridge as a destination", wanted.event_bridge_configuration.is_some()),
            ("a queue as a destination", wanted.queue_configurations.is_some_and(|list| !list.is_empty())),
            ("a topic as a destination", wanted.topic_configurations.is_some_and(|list| !list.is_empty())),
        ])?;
        let rules = wanted
            .lambda_function_configurations
            .unwrap_or_default()
            .into_iter()
            .map(rule)
            .collect::<S3Result<Vec<_>>>()?;
        notify::validate(&rules).map_err(|error| rule_error(&error))?;
        let skip = input.skip_destination_validation == Some(true);
        if let Some(unknown) = rules.iter().find(|rule| !skip && !self.functions.contains(&rule.function)) {
            return Err(s3_error!(
                InvalidArgument,
                "Unable to validate the following destination configurations: no function {} exists here",
                unknown.function
            ));
        }
        self.run(move |storage| storage.set_notifications(&input.bucket, &rules)).await?;
        Ok(S3Response::new(d::PutBucketNotificationConfigurationOutput::default()))
    }
}

pub(super) fn rule(configuration: d::LambdaFunctionConfiguration) -> S3Result<Rule> {
    let (mut prefix, mut suffix) = (None, None);
    let filters = configuration.filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules);
    for filter in filters.unwrap_or_default() {
        let name = filter.name.as_ref().map_or("", d::FilterRuleName::as_str).to_ascii_lowercase();
        let value = filter.value.unwrap_or_default();
        if value.len() > 1024 {
            return Err(s3_error!(
                InvalidArgument,
                "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation"
            ));
        }
        let slot = match name.as_str() {
            "prefix" => &mut prefix,
            "suffix" => &mut suffix,
            _ => return Err(s3_error!(InvalidArgument, "filter rule name must be either prefix or suffix")),
        };
        if slot.replace(value).is_some() {
            return Err(s3_error!(InvalidArgument, "Cannot specify more than one {name} rule in a filter."));
        }
    }
    Ok(Rule {
        id: configuration.id.unwrap_or_else(|| Uuid::new_v4().to_string()),
        function: configuration.lambda_function_arn,
        events: configuration.events.into_iter().map(String::from).collect(),
        prefix: prefix.unwrap_or_default(),
        suffix: suffix.unwrap_or_default(),
    })
}

fn configuration(rule: Rule) -> d::LambdaFunctionConfiguration {
    let filter_rules: Vec<_> = [("Prefix", rule.prefix), ("Suffix", rule.suffix)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| d::FilterRule {
            name: Some(d::FilterRuleName::from_static(name)),
            value: Some(value),
        })
        .collect();
    d::LambdaFunctionConfiguration {
        events: rule.events.into_iter().map(d::Event::from).collect(),
        filter: (!filter_rules.is_empty()).then_some(d::NotificationConfigurationFilter {
            key: Some(d::S3KeyFilter { filter_rules: Some(filter_rules) }),
        }),
        id: Some(rule.id),
        lambda_function_arn: rule.function,
    }
}

fn rule_error(error: &RuleError) -> S3Error {
    match error {
        RuleError::UnknownEvent(_) => {
            s3_error!(InvalidArgument, "The event is not supported for notifications: {error}")
        }
        RuleError::UnsupportedEvent(_) => s3_error!(NotImplemented, "{error}"),
        RuleError::NoEvent(_) => s3_error!(MalformedXML, "{error}"),
        RuleError::DuplicateId(_) => s3_error!(
            InvalidArgument,
            "Same ID used for multiple configurations. IDs must be unique: {error}"
        ),
        RuleError::Overlap { .. } => s3_error!(
            InvalidArgument,
            "Configurations overlap. Configurations on the same bucket cannot share a common event type: {error}"
        ),
        RuleError::TooMany(_) => s3_error!(InvalidArgument, "{error}"),
    }
}
