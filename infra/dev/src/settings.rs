//! The variables of the local stack: the same that a deployment is given, with local values.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use muxsim::SigningKey;

use crate::{
    aws::{Aws, CREDENTIAL, REGION, TABLE},
    issuer::OPERATORS,
    stack::Stack,
};

/// Who the local Mux believes we are: what the `muxsim` command says when it is told nothing else. Not
/// a secret: it opens nothing but the stand-in.
pub const MUX_TOKEN_ID: &str = "muxsim";
pub const MUX_TOKEN_SECRET: &str = "muxsim-secret";
pub const MUX_WEBHOOK_SECRET: &str = "local-webhook-secret";

/// The seed of the key that seals audit logs where no folder keeps one. Not a secret either.
const AUDIT_SEED: [u8; 32] = [7; 32];

/// What an Ed25519 key of PKCS#8 begins with (RFC 8410, section 7); its seed follows.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Secrets of nobody: they protect what is in one folder of one machine.
pub const GRANT_KEY: &str = "local-grant-key-local-grant-key-00";
pub const PSEUDONYM_KEY: &str = "local-pseudonym-key-local-pseudonym";

/// Every variable that a function needs, for a stack whose pages and stand-ins are at `url`.
pub fn variables(url: &str, aws: &Aws, key: &SigningKey) -> BTreeMap<&'static str, String> {
    variables_with(url, &aws.queue_url, key)
}

/// The same where the table and the queue have no address.
pub(crate) fn variables_with(
    url: &str,
    queue_url: &str,
    key: &SigningKey,
) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("ALLOWED_ORIGINS", url.to_owned()),
        (
            "AUDIT_SIGNING_KEY",
            STANDARD.encode([PKCS8.as_slice(), &AUDIT_SEED].concat()),
        ),
        ("CLERK_ISSUER", format!("{url}/sign-in")),
        ("DEAD_LETTER_QUEUE_URL", queue_url.to_owned()),
        ("GRANT_KEY", GRANT_KEY.to_owned()),
        ("MUX_API_URL", format!("{url}/mux")),
        ("MUX_IMAGE_URL", format!("{url}/mux/image")),
        ("MUX_SIGNING_KEY_ID", key.id.clone()),
        ("MUX_SIGNING_PRIVATE_KEY", key.private_key.clone()),
        (
            "MUX_STATUS_URL",
            format!("{url}/mux/status/api/v2/summary.json"),
        ),
        ("MUX_STREAM_URL", format!("{url}/mux/stream")),
        ("MUX_TOKEN_ID", MUX_TOKEN_ID.to_owned()),
        ("MUX_TOKEN_SECRET", MUX_TOKEN_SECRET.to_owned()),
        ("MUX_WEBHOOK_SIGNING_SECRET", MUX_WEBHOOK_SECRET.to_owned()),
        ("OPERATORS_ORGANISATION", OPERATORS.to_owned()),
        ("PSEUDONYM_KEY", PSEUDONYM_KEY.to_owned()),
        ("PUBLIC_URL", url.to_owned()),
        ("TABLE_NAME", TABLE.to_owned()),
    ])
}

/// All that a function in another process is given: the variables of the stack's own functions, and what
/// an AWS SDK needs besides.
pub fn elsewhere(stack: &Stack) -> Vec<(&'static str, String)> {
    let aws = [
        (
            "AWS_ENDPOINT_URL_DYNAMODB",
            format!("http://{}", stack.aws.dynamodb),
        ),
        ("AWS_ENDPOINT_URL_SQS", format!("http://{}", stack.aws.sqs)),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", CREDENTIAL.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", CREDENTIAL.to_owned()),
        ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
    ];
    stack.variables.iter().cloned().chain(aws).collect()
}
