//! Configuration: read once from the environment, validated whole, secrets redacted.
//!
//! Every field's doc names its variable; the README's table is checked against this file.

use secrecy::SecretString;
use time::Duration;
use url::Url;

use crate::{
    address::PseudonymKey,
    costs::{Budgets, CostTag, Prices},
    federation::Role,
    guardrails::Rails,
    ids::{self, TenantId},
    limits::Limits,
    origin::Origin,
    traces,
    variables::Variables,
};

/// What a deployable is told. Secrets show nothing in `Debug`.
#[derive(Debug)]
pub struct Config {
    /// `TABLE_NAME`: the one DynamoDB table.
    pub table: String,
    /// `DEAD_LETTER_QUEUE_URL`: the SQS queue for events that could not be stored (DC-4).
    pub dead_letter_queue: String,
    /// `MUX_WEBHOOK_DLQ_ENABLED`: `false` answers 500 instead of queueing (S0-120). Default `true`.
    pub webhook_dlq: bool,
    /// `CRON_SECRET`: what a schedule proves itself with over HTTP, as Vercel's does. Without it, no
    /// schedule may. Several, separated by commas, while one replaces another.
    pub cron_secrets: Vec<SecretString>,
    /// `OPERATORS_ORGANISATION`: the organisation at the sign-in service whose admins operate the
    /// portal, across its tenants. Without it, nobody does.
    pub operators_organisation: Option<String>,
    /// `AUDIT_SIGNING_KEY`: seals the audit log: base64 of an Ed25519 key, PKCS#8 in DER. Of several,
    /// separated by commas, the first seals; auditors are shown the public half of all.
    pub audit_signing_keys: Vec<SecretString>,
    /// `AUDIT_RETIRED_KEYS`: the public halves of keys that sealed earlier, as base64, separated by commas.
    /// What they sealed stays, so auditors are shown them, too. Default: none.
    pub audit_retired_keys: String,
    /// `MUX_TOKEN_ID`: the access token's id (S1-023).
    pub mux_token_id: String,
    /// `MUX_TOKEN_SECRET`: the access token's secret (S1-023).
    pub mux_token_secret: SecretString,
    /// `MUX_WEBHOOK_SIGNING_SECRET`: verifies webhooks; several, separated by commas, while
    /// one endpoint replaces another (S1-024).
    pub mux_webhook_secrets: Vec<SecretString>,
    /// `MUX_SIGNING_KEY_ID`: the id of the key that signs playback tokens.
    pub mux_signing_key_id: String,
    /// `MUX_SIGNING_PRIVATE_KEY`: that key as Mux gives it: base64 of a PEM.
    pub mux_signing_private_key: SecretString,
    /// `MUX_API_URL`: where the API is. Default `https://api.mux.com`.
    pub mux_api: Url,
    /// `MUX_STREAM_URL`: where viewers fetch streams. Default `https://stream.mux.com`.
    pub mux_stream: Url,
    /// `MUX_IMAGE_URL`: where viewers fetch pictures. Default `https://image.mux.com`.
    pub mux_image: Url,
    /// `MUX_STATUS_URL`: the summary of Mux's status page, as Atlassian Statuspage writes it; `off`, or
    /// nothing in it, switches it off. Default `https://status.mux.com/api/v2/summary.json`.
    pub mux_status: Option<Url>,
    /// `CLERK_ISSUER`: the exact `iss` of session tokens.
    pub clerk_issuer: String,
    /// `CLERK_JWKS_URL`: where its keys are. Default: the issuer's `/.well-known/jwks.json`.
    pub clerk_jwks: Url,
    /// `ALLOWED_ORIGINS`: the pages that may call, as exact origins separated by commas. They are
    /// the only values of `azp` in a session token, of CORS, and of an upload's `cors_origin`.
    pub allowed_origins: Vec<Origin>,
    /// `PUBLIC_URL`: where the share pages are, the prefix of every link that is handed out.
    pub public_url: Url,
    /// `SHARE_DAYS`: how long a link lives when nobody says. Default 7 (S0-056).
    pub share_days: u16,
    /// `SHARE_MAX_DAYS`: how long a link may live at the most. Default 30.
    pub share_max_days: u16,
    /// `SIGNED_PLAYBACK_ENFORCED`: `false` also plays a video that has none but a public playback id,
    /// without a token (S0-088). Default `true`.
    pub signed_playback: bool,
    /// `GRANT_KEY`: what is given to viewers for what they have shown is signed with it. Of several,
    /// separated by commas, the first signs and each counts.
    pub grant_keys: Vec<SecretString>,
    /// `PSEUDONYM_KEY`: what addresses of people and networks are hidden under. Of several, separated by
    /// commas, the first hides, and a code that was sent under another one counts.
    pub pseudonym_keys: Vec<PseudonymKey>,
    /// `SMTP_URL`: the mail server, as `smtps://user:password@server`. Without it, no link can ask for
    /// a code.
    pub smtp: Option<SecretString>,
    /// `MAIL_FROM`: who mail is from. Default `Motion Mavericks Portal <portal@localhost>`.
    pub mail_from: String,
    /// `UPLOAD_MAX_BYTES`: the largest file that may be uploaded. Default 50 GiB.
    pub upload_max_bytes: u64,
    /// `LIMITS`: how often what may be done, and whether that is enforced (S0-051, S0-058). Default:
    /// every rule's own numbers, enforced.
    pub limits: Limits,
    /// `PRICES`: what the vendors charge, as JSON in the form of `infra/prices.json`, which is the default.
    pub prices: Prices,
    /// `BUDGETS`: how much a month may cost at list prices, as `all=100,ten_…=20.50` in US dollars. Who is
    /// not named has no budget. Default: nobody has.
    pub budgets: Budgets,
    /// `COST_EXPLORER_TAG`: the cost allocation tag of what is ours. Without it, Cost Explorer is not asked.
    pub cost_tag: Option<CostTag>,
    /// `GUARDRAILS`: what is done when a budget is spent, as `pause-links=off`. Default: all is told of only.
    pub guardrails: Rails,
    /// `AWS_ROLE_ARN`: on Vercel (`VERCEL`), the role that requests' tokens are exchanged for; before any came,
    /// `VERCEL_OIDC_TOKEN` is. Without it, credentials are where the SDK looks for them.
    pub role: Option<Role>,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`: MB of this function, as Lambda says. Default 256, as in `template.yaml`.
    pub function_memory: u32,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER_ARG`: where
    /// traces are sent, and which. Without the first, nothing is. None of them stops a start (S4-001).
    pub traces: traces::Settings,
}

impl Config {
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(from_env)
    }

    /// Reads from any lookup, so that a test needs no process-wide state.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut vars = Variables {
            lookup: &lookup,
            faults: Vec::new(),
        };
        let clerk_issuer: Option<String> = vars.required("CLERK_ISSUER");
        let jwks = clerk_issuer.as_deref().map(jwks_of);
        let table = vars.required("TABLE_NAME");
        let dead_letter_queue = vars.required("DEAD_LETTER_QUEUE_URL");
        let webhook_dlq = vars.or("MUX_WEBHOOK_DLQ_ENABLED", "true");
        let cron_secrets = vars.optional_list("CRON_SECRET");
        let operators_organisation = vars.lookup_text("OPERATORS_ORGANISATION");
        let audit_signing_keys: Vec<String> = vars.list("AUDIT_SIGNING_KEY");
        let audit_retired_keys = vars.lookup_text("AUDIT_RETIRED_KEYS").unwrap_or_default();
        let mux_token_id = vars.required("MUX_TOKEN_ID");
        let mux_token_secret: Option<String> = vars.required("MUX_TOKEN_SECRET");
        let mux_webhook_secrets: Vec<String> = vars.list("MUX_WEBHOOK_SIGNING_SECRET");
        let mux_signing_key_id = vars.required("MUX_SIGNING_KEY_ID");
        let mux_signing_private_key: Option<String> = vars.required("MUX_SIGNING_PRIVATE_KEY");
        let mux_api = vars.url("MUX_API_URL", Some("https://api.mux.com"));
        let mux_stream = vars.url("MUX_STREAM_URL", Some("https://stream.mux.com"));
        let mux_image = vars.url("MUX_IMAGE_URL", Some("https://image.mux.com"));
        let mux_status = vars.url_or_off(
            "MUX_STATUS_URL",
            "https://status.mux.com/api/v2/summary.json",
        );
        // Without an issuer there is no default, and one complaint is enough.
        let clerk_jwks = jwks.and_then(|jwks| vars.url("CLERK_JWKS_URL", Some(&jwks)));
        let allowed_origins = vars.list("ALLOWED_ORIGINS");
        let public_url = vars.url("PUBLIC_URL", None);
        let share_days = vars.or("SHARE_DAYS", "7");
        let share_max_days = vars.or("SHARE_MAX_DAYS", "30");
        let signed_playback = vars.or("SIGNED_PLAYBACK_ENFORCED", "true");
        let grant_keys = vars.secrets("GRANT_KEY");
        let pseudonym_keys = vars.secrets("PSEUDONYM_KEY");
        let pseudonym_keys = pseudonym_keys.iter().filter_map(|it| PseudonymKey::new(it));
        let pseudonym_keys = pseudonym_keys.collect();
        let smtp = vars.lookup_text("SMTP_URL");
        let mail_from = vars.or("MAIL_FROM", "Motion Mavericks Portal <portal@localhost>");
        let upload_max_bytes = vars.or("UPLOAD_MAX_BYTES", "53687091200");
        let limits = vars.settings("LIMITS", Limits::read);
        let prices = vars.settings("PRICES", Prices::read);
        let budgets = vars.settings("BUDGETS", Budgets::read);
        let cost_tag = vars.settings("COST_EXPLORER_TAG", CostTag::read);
        let guardrails = vars.settings("GUARDRAILS", Rails::read);
        let vercel = ["VERCEL", "VERCEL_OIDC_TOKEN"].map(|name| vars.lookup_text(name));
        let role = vars.settings("AWS_ROLE_ARN", |arn| Role::read(arn, &vercel));
        let function_memory = vars.or("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256");
        let otel = |name| vars.lookup_text(name);
        let traces = traces::Settings::read(
            otel("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(),
            otel("OTEL_EXPORTER_OTLP_HEADERS").as_deref(),
            otel("OTEL_TRACES_SAMPLER_ARG").as_deref(),
        );
        let days: Option<u16> = share_days;
        if days.is_some_and(|days| days == 0 || share_max_days.is_some_and(|most| days > most)) {
            vars.fault::<()>("SHARE_DAYS", "must be from 1 to SHARE_MAX_DAYS");
        }
        let whole = || {
            Some(Self {
                table: table?,
                dead_letter_queue: dead_letter_queue?,
                webhook_dlq: webhook_dlq?,
                cron_secrets: cron_secrets.into_iter().map(Into::into).collect(),
                operators_organisation,
                audit_signing_keys: audit_signing_keys.into_iter().map(Into::into).collect(),
                audit_retired_keys,
                mux_token_id: mux_token_id?,
                mux_token_secret: mux_token_secret?.into(),
                mux_webhook_secrets: mux_webhook_secrets.into_iter().map(Into::into).collect(),
                mux_signing_key_id: mux_signing_key_id?,
                mux_signing_private_key: mux_signing_private_key?.into(),
                mux_api: mux_api?,
                mux_stream: mux_stream?,
                mux_image: mux_image?,
                mux_status,
                clerk_issuer: clerk_issuer?,
                clerk_jwks: clerk_jwks?,
                allowed_origins,
                public_url: public_url?,
                share_days: share_days?,
                share_max_days: share_max_days?,
                signed_playback: signed_playback?,
                grant_keys: grant_keys.into_iter().map(Into::into).collect(),
                pseudonym_keys,
                smtp: smtp.map(Into::into),
                mail_from: mail_from?,
                upload_max_bytes: upload_max_bytes?,
                limits: limits?,
                prices: prices?,
                budgets: budgets?,
                cost_tag: cost_tag?,
                guardrails: guardrails?,
                role: role?,
                function_memory: function_memory?,
                traces,
            })
        };
        whole()
            .filter(|_| vars.faults.is_empty())
            .ok_or(ConfigError(vars.faults))
    }

    /// The tenant of those who operate the portal, where what concerns no customer is written down.
    pub fn operators(&self) -> TenantId {
        let organisation = self.operators_organisation.as_deref();
        ids::from_external(&self.clerk_issuer, organisation.unwrap_or("operators"))
    }

    /// How long a link may live at the most.
    pub fn share_max(&self) -> Duration {
        Duration::days(self.share_max_days.into())
    }
}

/// `SECRETS_ID`: the name or ARN of a secret of AWS Secrets Manager, a JSON object whose values stand in for
/// the variables of their names. Looked at every five minutes. Without it, secrets are variables as well.
pub const SECRETS_ID: &str = "SECRETS_ID";

/// What a variable of the environment says.
#[expect(
    clippy::disallowed_methods,
    reason = "the one sanctioned read of the environment"
)]
pub fn from_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn jwks_of(issuer: &str) -> String {
    format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'))
}

/// Names every bad variable at once, and never a value.
#[derive(Debug, thiserror::Error)]
#[error("bad configuration: {}", .0.join(", "))]
pub struct ConfigError(Vec<String>);

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(name: &str) -> Option<String> {
        let value = match name {
            "CLERK_ISSUER" | "PUBLIC_URL" | "ALLOWED_ORIGINS" => "https://portal.example",
            "MUX_WEBHOOK_SIGNING_SECRET" => "old, new",
            "TABLE_NAME" | "DEAD_LETTER_QUEUE_URL" | "AUDIT_SIGNING_KEY" => "x",
            "GRANT_KEY" | "PSEUDONYM_KEY" => "0123456789abcdef0123456789abcdef",
            name if name.starts_with("MUX_TOKEN_") || name.starts_with("MUX_SIGNING_") => "x",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn defaults_fill_what_is_not_set() {
        let config = Config::read(complete).unwrap();
        assert_eq!(config.mux_webhook_secrets.len(), 2);
        assert_eq!(
            config.clerk_jwks.as_str(),
            "https://portal.example/.well-known/jwks.json"
        );
        assert!(config.webhook_dlq);
    }

    #[test]
    fn every_fault_is_named_and_no_value_is_shown() {
        let error = Config::read(|name| match name {
            "TABLE_NAME" => Some(String::new()),
            "SHARE_DAYS" | "PSEUDONYM_KEY" | "PRICES" => Some("hunter2".to_owned()),
            "COST_EXPLORER_TAG" => Some("hunter2=".to_owned()),
            "ALLOWED_ORIGINS" => Some("https://portal.example/path".to_owned()),
            "MUX_API_URL" => Some("ftp://hunter2".to_owned()),
            "MUX_TOKEN_SECRET" => None,
            "LIMITS" => Some("hunter2=1, uploads-per-user=enforce:0/60".to_owned()),
            "BUDGETS" => Some("all=1,hunter2=2".to_owned()),
            "GUARDRAILS" => Some("hunter2=off".to_owned()),
            name => complete(name),
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "bad configuration: TABLE_NAME is not set, MUX_TOKEN_SECRET is not set, \
             MUX_API_URL is not an http or https URL, ALLOWED_ORIGINS does not parse, \
             ALLOWED_ORIGINS has no good value, SHARE_DAYS does not parse, \
             PSEUDONYM_KEY is shorter than 32 characters, LIMITS has no rule at place 1, \
             LIMITS has no good value for uploads-per-user, \
             PRICES is not the JSON of a list of prices (line 1, column 1), \
             BUDGETS has no organisation at place 2, COST_EXPLORER_TAG is not a tag such as Application=name, GUARDRAILS has no guardrail at place 1"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = Config::read(|name| match name {
            "CRON_SECRET"
            | "AUDIT_SIGNING_KEY"
            | "MUX_TOKEN_SECRET"
            | "MUX_WEBHOOK_SIGNING_SECRET"
            | "MUX_SIGNING_PRIVATE_KEY" => Some("hunter2".to_owned()),
            name => complete(name),
        });
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
