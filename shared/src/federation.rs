//! Credentials of AWS where the platform vouches for a function: every request brings a token of Vercel's, and
//! STS gives credentials of a role for it (vercel.com/docs/oidc/aws; IAM, `AssumeRoleWithWebIdentity`). No key
//! of AWS is kept anywhere. The SDK keeps what STS gave until shortly before it ends.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_config::{SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{
    Credentials,
    provider::{
        self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
    },
};
use aws_sdk_sts::{Client, config::Builder, error::ProvideErrorMetadata};
use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
};
use futures::{FutureExt, future::BoxFuture, future::Shared};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use crate::{app::Parts, clock::Clock};

/// Brings the token. The platform writes it itself (vercel.com/docs/oidc/reference).
pub const TOKEN: HeaderName = HeaderName::from_static("x-vercel-oidc-token");

/// Of which lengths tokens STS takes (STS API, `WebIdentityToken`).
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=20_000;

/// Who we are in AWS's own log of calls (`RoleSessionName`).
const SESSION: &str = "motion-mavericks-portal";

/// How long before their end credentials are not used any more.
const BEFORE_THEIR_END: Duration = Duration::from_mins(1);

/// For how long a token that STS refused is not sent again: a trust policy is not mended faster.
const REFUSED_FOR: time::Duration = time::Duration::seconds(10);

/// The role that functions act as.
#[derive(Debug, Clone)]
pub struct Role {
    pub arn: RoleArn,
    /// What there is before any request has brought a token: a developer's machine has one.
    pub token: Option<SecretString>,
}

impl Role {
    /// Reads an ARN where the platform says that it is Vercel, and whether it has a token already. Elsewhere
    /// the variable is the SDK's own.
    pub fn read(
        arn: &str,
        [platform, token]: &[Option<String>; 2],
    ) -> Result<Option<Self>, Vec<String>> {
        if arn.is_empty() || platform.is_none() {
            return Ok(None);
        }
        let arn = arn
            .parse()
            .map_err(|error: NotARole| vec![format!("is {error}")])?;
        let token = token.clone().map(Into::into);
        Ok(Some(Self { arn, token }))
    }
}

/// An ARN, spelled `arn:aws:iam::123456789012:role/portal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn(String);

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a role")]
pub struct NotARole;

impl FromStr for RoleArn {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, name] = parts[..] else {
            return Err(NotARole);
        };
        let account = account.len() == 12 && account.bytes().all(|it| it.is_ascii_digit());
        let known = arn == "arn" && partition.starts_with("aws") && service == "iam";
        let role = name.strip_prefix("role/").is_some_and(|it| !it.is_empty());
        let good = known && region.is_empty() && account && role && text.len() <= 2_048;
        good.then(|| Self(text.to_owned())).ok_or(NotARole)
    }
}

/// Why there are no credentials. Shows nothing of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FederationError {
    #[error(
        "no request has brought a token of the platform yet: is federation switched on in the project?"
    )]
    NoToken,
    /// The code of STS, and not its words: they quote the token's claims.
    #[error("STS refused the platform's token: {code}")]
    Refused { code: String },
    #[error("STS did not answer")]
    NoAnswer,
    #[error("STS answered without credentials")]
    Malformed,
}

type Exchanged = Result<Credentials, FederationError>;
type Exchange = Shared<BoxFuture<'static, Exchanged>>;

/// Exchanges tokens for credentials. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Federation(Arc<Inner>);

struct Inner {
    sts: Client,
    role: RoleArn,
    clock: Arc<dyn Clock>,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// What the newest request brought.
    token: Option<SecretString>,
    /// Under way, or done and not fetched: who asked for it was cancelled.
    exchange: Option<Exchange>,
    /// What STS refused, and until when it is not asked again.
    refused: Option<(SecretString, OffsetDateTime, FederationError)>,
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federation").finish_non_exhaustive()
    }
}

impl Federation {
    /// In the region of `aws`, of which nothing else is used: the call is not signed.
    pub fn new(aws: &SdkConfig, role: Role, clock: Arc<dyn Clock>) -> Self {
        // As long as a call of the table may take in all: it waits for this.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_millis(1_100))
            .operation_timeout(Duration::from_millis(2_300));
        let retries = RetryConfig::standard()
            .with_max_attempts(2)
            .with_initial_backoff(Duration::from_millis(50));
        let config = Builder::from(aws)
            .retry_config(retries)
            .timeout_config(timeouts.build());
        Self(Arc::new(Inner {
            sts: Client::from_conf(config.build()),
            role: role.arn,
            clock,
            state: Mutex::new(Known {
                token: role.token,
                ..Known::default()
            }),
        }))
    }

    /// The same configuration with credentials from here.
    pub fn credentials_for(&self, aws: SdkConfig) -> SdkConfig {
        let cache = IdentityCache::lazy().buffer_time(BEFORE_THEIR_END);
        aws.into_builder()
            .credentials_provider(SharedCredentialsProvider::new(self.clone()))
            .identity_cache(cache.build())
            .build()
    }

    /// Whether somebody has brought a token.
    pub fn has_token(&self) -> bool {
        self.known().token.is_some()
    }

    fn heard(&self, token: &HeaderValue) {
        let text = token.to_str().ok().map(str::trim);
        if let Some(text) = text.filter(|it| LENGTHS.contains(&it.len())) {
            self.known().token = Some(SecretString::from(text.to_owned()));
        }
    }

    /// However many ask at once, STS is asked once; and who is cancelled loses nothing for the next one.
    async fn credentials(&self) -> Exchanged {
        let exchange = self.exchange()?;
        let done = exchange.clone().await;
        let mut known = self.known();
        if known
            .exchange
            .as_ref()
            .is_some_and(|it| it.ptr_eq(&exchange))
        {
            known.exchange = None;
        }
        done
    }

    fn exchange(&self) -> Result<Exchange, FederationError> {
        let now = self.0.clock.now();
        let mut known = self.known();
        let token = known.token.clone().ok_or(FederationError::NoToken)?;
        if let Some((refused, until, why)) = &known.refused
            && now < *until
            && refused.expose_secret() == token.expose_secret()
        {
            return Err(why.clone());
        }
        // What nobody fetched may have failed, or ended.
        known.exchange.take_if(|it| {
            let ends = SystemTime::from(now) + BEFORE_THEIR_END;
            it.peek().is_some_and(|done| match done {
                Ok(it) => it.expiry().is_some_and(|expiry| expiry <= ends),
                Err(_) => true,
            })
        });
        let begin = || {
            let (it, token) = (self.clone(), token);
            // On its own, because the call that waits for it has less time.
            let work = async move { tokio::spawn(it.ask(token)).await };
            let work = work.map(|it| it.unwrap_or(Err(FederationError::NoAnswer)));
            work.boxed().shared()
        };
        Ok(known.exchange.get_or_insert_with(begin).clone())
    }

    async fn ask(self, token: SecretString) -> Exchanged {
        let call = self.0.sts.assume_role_with_web_identity();
        let call = call
            .role_arn(&self.0.role.0)
            .role_session_name(SESSION)
            .web_identity_token(token.expose_secret());
        let given = match call.send().await {
            Ok(given) => given.credentials.ok_or(FederationError::Malformed)?,
            Err(error) => {
                let error = refusal(error.as_service_error().and_then(|it| it.code()));
                tracing::warn!(error = %error, "there are no credentials of aws");
                if matches!(error, FederationError::Refused { .. }) {
                    let until = self.0.clock.now() + REFUSED_FOR;
                    self.known().refused = Some((token, until, error.clone()));
                }
                return Err(error);
            }
        };
        let ends =
            SystemTime::try_from(given.expiration).map_err(|_| FederationError::Malformed)?;
        tracing::info!("credentials of aws exchanged");
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(ends),
            "federation",
        ))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Codes are words of AWS's; nothing longer gets into a log.
fn refusal(code: Option<&str>) -> FederationError {
    let plain = |it: &&str| it.len() <= 64 && it.bytes().all(|it| it.is_ascii_alphanumeric());
    match code {
        // STS could not fetch Vercel's keys, or is at its limit.
        Some("IDPCommunicationError" | "Throttling" | "InternalFailure") | None => {
            FederationError::NoAnswer
        }
        Some(code) => FederationError::Refused {
            code: Some(code).filter(plain).unwrap_or("unknown").to_owned(),
        },
    }
}

impl ProvideCredentials for Federation {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let given = async {
            self.credentials()
                .await
                .map_err(CredentialsError::provider_error)
        };
        future::ProvideCredentials::new(given.map(provider::Result::from))
    }
}

/// Takes the token out of every request, so that nothing behind this can show it.
pub fn hear(app: &Parts, request: &mut Request) {
    let token = request.headers_mut().remove(TOKEN);
    if let (Some(federation), Some(token)) = (&app.federation, token) {
        federation.heard(&token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_the_arn_of_one() {
        for good in [
            "arn:aws:iam::123456789012:role/portal",
            "arn:aws-cn:iam::123456789012:role/path/portal",
        ] {
            assert!(good.parse::<RoleArn>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "portal",
            "arn:aws:iam::123456789012:user/portal",
            "arn:aws:iam::12345678901:role/portal",
            "arn:aws:iam:us-east-1:123456789012:role/portal",
            "arn:aws:sts::123456789012:role/portal",
            "arn:aws:iam::123456789012:role/",
        ] {
            assert_eq!(bad.parse::<RoleArn>(), Err(NotARole), "{bad}");
        }
    }

    #[test]
    fn only_on_vercel_is_the_role_ours() {
        let arn = "arn:aws:iam::123456789012:role/portal";
        let (yes, token) = (Some("1".to_owned()), Some("a-token".to_owned()));
        let there = Role::read(arn, &[yes.clone(), token]).unwrap().unwrap();
        assert!(there.token.is_some() && !format!("{there:?}").contains("a-token"));
        assert!(Role::read(arn, &[None, None]).unwrap().is_none());
        assert!(Role::read("", &[yes.clone(), None]).unwrap().is_none());
        let error = Role::read("hunter2", &[yes, None]).unwrap_err();
        assert_eq!(error, ["is not the ARN of a role"]);
    }

    #[test]
    fn a_refusal_says_the_code_and_no_words() {
        let refused = |code: &str| FederationError::Refused {
            code: code.to_owned(),
        };
        assert_eq!(refusal(Some("AccessDenied")), refused("AccessDenied"));
        assert_eq!(refusal(Some("token eyJhbGciOi.x")), refused("unknown"));
        assert_eq!(refusal(None), FederationError::NoAnswer);
    }
}
