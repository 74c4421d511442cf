//! What is made of the secrets, ready to be used.

use std::fmt;

use audit_verify::SigningKey;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use crate::{
    address::PseudonymKey,
    boot::BootError,
    config::Config,
    mail::Mail,
    mux::{MuxApi, PlaybackSigner, WebhookVerifier},
    shares::Grants,
};

/// Everything that holds a secret. It is replaced as a whole.
pub struct Keys {
    /// Behind `Parts::mux`.
    pub(crate) mux_api: MuxApi,
    pub playback: PlaybackSigner,
    pub webhooks: WebhookVerifier,
    pub grants: Grants,
    /// Nothing, where no mail server is set up.
    pub mail: Option<Mail>,
    /// Seals the audit log.
    pub seal: SigningKey,
    /// What auditors check seals with: the public halves of all keys that seal, will seal or have sealed, as
    /// PEM.
    pub seals: String,
    pub pseudonyms: Pseudonyms,
    /// What schedules prove themselves with.
    cron: Vec<SecretString>,
}

impl Keys {
    pub fn new(config: &Config) -> Result<Self, BootError> {
        let seals = config.audit_signing_keys.iter();
        let seals: Result<Vec<SigningKey>, _> = seals
            .map(|it| SigningKey::parse(it.expose_secret()))
            .collect();
        let mut seals = seals?.into_iter();
        let seal = seals.next().ok_or(audit_verify::KeyError::Unreadable)?;
        let retired = audit_verify::public_pems(&config.audit_retired_keys)?;
        let public = [seal.public_pem()]
            .into_iter()
            .chain(seals.map(|it| it.public_pem()));
        Ok(Self {
            mux_api: MuxApi::new(
                config.mux_api.clone(),
                config.mux_token_id.clone(),
                config.mux_token_secret.clone(),
            ),
            playback: PlaybackSigner::new(
                &config.mux_signing_key_id,
                &config.mux_signing_private_key,
                config.mux_stream.clone(),
                config.mux_image.clone(),
            )?,
            webhooks: WebhookVerifier::new(&config.mux_webhook_secrets),
            grants: Grants::new(&config.grant_keys),
            mail: config
                .smtp
                .as_ref()
                .map(|smtp| Mail::new(smtp, &config.mail_from))
                .transpose()?,
            seals: public.chain(retired).collect(),
            seal,
            pseudonyms: Pseudonyms(config.pseudonym_keys.clone()),
            cron: config.cron_secrets.clone(),
        })
    }

    /// Whether this is what a schedule shows: `Bearer` and one of its secrets. Every one is compared.
    pub fn is_schedule(&self, authorization: &[u8]) -> bool {
        let known = self.cron.iter().map(|secret| {
            let expected = format!("Bearer {}", secret.expose_secret());
            expected.as_bytes().ct_eq(authorization)
        });
        known.fold(Choice::from(0), |any, this| any | this).into()
    }
}

/// What texts about people are hidden under: the first key hides, and what the others hid is still known.
#[derive(Clone)]
pub struct Pseudonyms(Vec<PseudonymKey>);

impl Pseudonyms {
    /// What stands for a text from now on.
    pub fn hide(&self, text: &str) -> String {
        self.all(text).next().unwrap_or_default()
    }

    /// What stands for it under each key, the one of now first.
    pub fn all(&self, text: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(move |key| key.hide(text))
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(…)")
    }
}
