//! Cost Explorer: what AWS itself says that a day cost, by service (docs.aws.amazon.com, AWS Cost Management,
//! `GetCostAndUsage`). Each request costs a cent (aws.amazon.com/aws-cost-management/aws-cost-explorer/pricing),
//! so nothing is sent twice here, and who asks asks once a day.

use std::{collections::BTreeMap, error::Error, sync::Arc, time::Duration};

use aws_config::{Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_costexplorer::{
    Client, Config,
    config::Builder,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_cost_and_usage::GetCostAndUsageOutput,
    types::{
        DateInterval, Expression, Granularity, Group, GroupDefinition, GroupDefinitionType,
        ResultByTime, TagValues,
    },
};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use time::{Date, macros::format_description};

use super::{decimal::dollars, money::Money};

/// The one region that answers for all (docs.aws.amazon.com/general/latest/gr/billing.html).
const REGION: &str = "us-east-1";

/// What is asked for: what was charged, as each account pays it.
const METRIC: &str = "UnblendedCost";

/// Pages of one answer at the most; each is a request. A month of all services is one.
const PAGES: usize = 10;

/// The longest name of a service that is taken.
const NAME: usize = 200;

/// How long one page is waited for. Cost Explorer takes seconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The cost allocation tag of what is ours, spelled `Application=motion-mavericks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostTag {
    key: String,
    value: String,
}

impl CostTag {
    /// Reads a tag. Nothing: nobody is asked.
    pub fn read(text: &str) -> Result<Option<Self>, Vec<String>> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok(Some(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            })),
            _ => Err(vec!["is not a tag such as Application=name".to_owned()]),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    pub tag: CostTag,
    /// The first day, in UTC.
    pub from: Date,
    /// The day after the last one.
    pub until: Date,
}

/// What AWS says of a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldDay {
    /// AWS may still change it: the month has no invoice yet.
    pub preliminary: bool,
    /// By what AWS calls its services. What was credited is below nothing.
    pub services: BTreeMap<String, Money>,
}

/// Why nothing was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    #[error("there are no credentials of AWS")]
    NoCredentials,
    #[error("AWS does not allow this function to ask: it needs ce:GetCostAndUsage")]
    Denied,
    #[error("AWS was asked too often")]
    Throttled,
    #[error("AWS refused the request")]
    Refused,
    #[error("AWS did not answer")]
    NoAnswer,
    #[error("the answer has something in it that is no amount of US dollars")]
    Malformed,
    #[error("AWS knows no costs with this tag: is it activated for cost allocation?")]
    Empty,
}

impl Refusal {
    fn of<E>(error: &SdkError<E>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        match error
            .as_service_error()
            .and_then(ProvideErrorMetadata::code)
        {
            Some(
                "AccessDeniedException"
                | "AccessDenied"
                | "UnrecognizedClientException"
                | "InvalidSignatureException"
                | "ExpiredTokenException",
            ) => Self::Denied,
            Some("ThrottlingException" | "LimitExceededException" | "RequestLimitExceeded") => {
                Self::Throttled
            }
            Some(_) => Self::Refused,
            None if lacks_credentials(error) => Self::NoCredentials,
            None => Self::NoAnswer,
        }
    }
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<aws_credential_types::provider::error::CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

type Answer = BTreeMap<Date, ToldDay>;
type Ask = dyn Fn(Question) -> BoxFuture<'static, Result<Answer, Refusal>> + Send + Sync;

/// Whom the job asks. What it takes to ask is behind a pointer, and the linker leaves it out of every
/// function that never makes one.
#[derive(Clone)]
pub struct Explorer(Arc<Ask>);

impl Explorer {
    /// With the credentials of everything else. Nothing is opened before somebody asks.
    pub fn new(aws: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_timeout(TIMEOUT);
        let config = Builder::from(aws)
            .region(Region::from_static(REGION))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .build();
        Self(Arc::new(move |question| {
            Box::pin(ask(config.clone(), question))
        }))
    }

    /// All days that AWS tells of between two days. One request for each page.
    pub async fn ask(&self, question: Question) -> Result<Answer, Refusal> {
        (self.0)(question).await
    }
}

async fn ask(config: Config, question: Question) -> Result<Answer, Refusal> {
    let client = Client::from_conf(config);
    let (mut days, mut token) = (Answer::new(), None);
    for _ in 0..PAGES {
        let page = page(&client, &question, token).await?;
        for result in page.results_by_time() {
            let (day, told) = read(result).ok_or(Refusal::Malformed)?;
            if day < question.from || day >= question.until {
                return Err(Refusal::Malformed);
            }
            add(days.entry(day).or_default(), told).ok_or(Refusal::Malformed)?;
        }
        token = page.next_page_token.filter(|it| !it.is_empty());
        if token.is_none() {
            return Ok(days);
        }
    }
    Err(Refusal::Malformed)
}

async fn page(
    client: &Client,
    question: &Question,
    token: Option<String>,
) -> Result<GetCostAndUsageOutput, Refusal> {
    let period = DateInterval::builder()
        .start(question.from.to_string())
        .end(question.until.to_string());
    let tags = TagValues::builder()
        .key(&question.tag.key)
        .values(&question.tag.value);
    let by_service = GroupDefinition::builder()
        .r#type(GroupDefinitionType::Dimension)
        .key("SERVICE");
    client
        .get_cost_and_usage()
        .time_period(period.build().map_err(|_| Refusal::Refused)?)
        .granularity(Granularity::Daily)
        .metrics(METRIC)
        .filter(Expression::builder().tags(tags.build()).build())
        .group_by(by_service.build())
        .set_next_page_token(token)
        .send()
        .await
        .map_err(|error| Refusal::of(&error))
}

fn read(result: &ResultByTime) -> Option<(Date, ToldDay)> {
    let day = Date::parse(
        result.time_period()?.start(),
        format_description!("[year]-[month]-[day]"),
    );
    let mut told = ToldDay {
        preliminary: result.estimated(),
        services: BTreeMap::new(),
    };
    for group in result.groups() {
        let (service, cost) = service(group)?;
        let of = told.services.entry(service).or_default();
        *of = of.plus(cost).ok()?;
    }
    Some((day.ok()?, told))
}

fn service(group: &Group) -> Option<(String, Money)> {
    let [name] = group.keys() else {
        return None;
    };
    let metric = group.metrics()?.get(METRIC)?;
    if name.is_empty() || name.len() > NAME || metric.unit() != Some("USD") {
        return None;
    }
    Some((name.clone(), dollars(metric.amount()?).ok()?))
}

/// A day may be on two pages.
fn add(day: &mut ToldDay, more: ToldDay) -> Option<()> {
    day.preliminary |= more.preliminary;
    for (service, cost) in more.services {
        let of = day.services.entry(service).or_default();
        *of = of.plus(cost).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use aws_credential_types::{
        credential_fn::provide_credentials_fn,
        provider::{SharedCredentialsProvider, error::CredentialsError},
    };
    use time::macros::date;

    use super::*;

    #[tokio::test]
    async fn who_has_no_credentials_and_who_reaches_nobody_are_told_apart() {
        let none = provide_credentials_fn(async || Err(CredentialsError::not_loaded("none")));
        let some = aws_credential_types::Credentials::new("x", "x", None, None, "test");
        let nowhere = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url("http://127.0.0.1:9")
            .build();
        for (credentials, why) in [
            (SharedCredentialsProvider::new(none), Refusal::NoCredentials),
            (SharedCredentialsProvider::new(some), Refusal::NoAnswer),
        ] {
            let aws = nowhere.clone().into_builder();
            let aws = aws.credentials_provider(credentials).build();
            let question = Question {
                tag: CostTag::read("a=b").unwrap().unwrap(),
                from: date!(2026 - 01 - 01),
                until: date!(2026 - 01 - 02),
            };
            assert_eq!(Explorer::new(&aws).ask(question).await, Err(why));
        }
    }

    #[test]
    fn a_tag_has_a_key_and_a_value_and_nothing_is_nobody_asked() {
        let tag = CostTag::read("aws:cloudformation:stack-name=portal=1").unwrap();
        let tag = tag.unwrap();
        assert_eq!(
            (tag.key.as_str(), tag.value.as_str()),
            ("aws:cloudformation:stack-name", "portal=1")
        );
        assert_eq!(CostTag::read("  "), Ok(None));
        for text in ["Application", "=x", "Application="] {
            assert!(CostTag::read(text).is_err(), "{text}");
        }
    }
}
